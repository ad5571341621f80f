package nftables

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"patchbay/templates/internal/moduletest"
)

// theirs is a firewall of somebody else: tables of their own, and in the module's
// table rules that use its sets, declared so that they load at any time.
const theirs = `table inet filter {
	set web_ip4 { type ipv4_addr; elements = { 192.0.2.1 }; }
	chain input {
		type filter hook input priority filter; policy accept;
		ip saddr @web_ip4 counter drop comment "set odd_ip4 {"
	}
}
table ip patchbay {
	set web_ip4 { type ipv4_addr; elements = { 192.0.2.2 }; }
}
table inet patchbay {
	set web_ip4 { type ipv4_addr; }
	set web_ip4_port { type ipv4_addr . inet_service; }
	set admins { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.7 }; }
	map marks { type ipv4_addr : mark; elements = { 192.0.2.3 : 0x1, 192.0.2.4 : 0x2 }; }
	chain own {
		type filter hook input priority filter; policy accept;
		ip saddr @admins accept
		tcp dport 4000 ip saddr @web_ip4 accept
		tcp dport 4000 reject with tcp reset
		ip daddr . tcp dport @web_ip4_port accept
	}
}
`

// without drops what the module has in table inet patchbay from a listing: elements of
// its sets and the sets that it made.
func without(listing string, sets ...string) string {
	var out strings.Builder
	for block := range strings.SplitSeq(listing, "\n\n") {
		first, _, _ := strings.Cut(strings.TrimSpace(block), " {")
		name := strings.TrimPrefix(first, "set ")
		if !slices.Contains(sets, name) {
			out.WriteString(block + "\n\n")
		}
	}
	return out.String()
}

func TestWhatOthersMadeIsLeftAlone(t *testing.T) {
	f := newFirewall(t)
	f.nft(t, theirs)
	before := f.ruleset(t)
	s := f.stack(t)
	s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80))
	s.Apply(t)
	want := []string{"10.0.0.1", "10.0.0.2"}
	if got := f.elements(t, "web_ip4"); !slices.Equal(got, want) {
		t.Errorf("web_ip4 = %q, want %q", got, want)
	}
	s.Give(t)
	s.Apply(t)
	// Emptied and, as no instance names it any more, kept for the rules that use it.
	after := without(f.ruleset(t), "web_ip6", "web_ip6_port")
	if diff := cmp.Diff(without(before), after); diff != "" {
		t.Errorf("the firewall (-before +after):\n%s", diff)
	}
	f.boots(t)
	s.Settled(t)
}

// elements lists what a set of table inet patchbay has, sorted.
func (f *firewall) elements(tb testing.TB, set string) []string {
	tb.Helper()
	_, listed, _ := strings.Cut(command(tb, "", "nft", "-n", "list", "set", "inet", "patchbay", set), "elements = {")
	listed, _, _ = strings.Cut(listed, "}")
	var out []string
	for e := range strings.SplitSeq(listed, ",") {
		if e = strings.TrimSpace(e); e != "" {
			out = append(out, e)
		}
	}
	slices.Sort(out)
	return out
}

// boots fails unless the file makes from nothing what the module has in the kernel now.
func (f *firewall) boots(tb testing.TB) {
	tb.Helper()
	live := ofModule(f.ruleset(tb))
	f.nft(tb, fmt.Sprintf("flush ruleset\ninclude %q\n%s", f.file(), theirs))
	if diff := cmp.Diff(live, ofModule(f.ruleset(tb))); diff != "" {
		tb.Errorf("sets of the module (-before +after a boot):\n%s", diff)
	}
}

// ofModule gives the sets and chains of the module in a listing, sorted.
func ofModule(listing string) []string {
	var out []string
	_, table, _ := strings.Cut(listing, "table inet patchbay {")
	table, _, _ = strings.Cut(table, "\n}")
	for block := range strings.SplitSeq(table, "\n\n") {
		name := strings.Fields(block)[1]
		if strings.HasPrefix(name, "allow_") || strings.Contains(name, "_ip4") || strings.Contains(name, "_ip6") {
			out = append(out, strings.TrimSpace(block))
		}
	}
	slices.Sort(out)
	return out
}

func TestAnElementThatStaysIsNotTouched(t *testing.T) {
	f := newFirewall(t)
	s := f.stack(t, allow(4000))
	s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80), at("fd00::1", 80))
	s.Apply(t)
	events := f.monitor(t)
	s.Give(t, at("10.0.0.1", 80), at("10.0.0.3", 80), at("FD00:0::1", 80))
	s.Apply(t)
	want := []string{
		"add element inet patchbay web_ip4 { 10.0.0.3 }",
		"add element inet patchbay web_ip4_port { 10.0.0.3 . 80 }",
		"delete element inet patchbay web_ip4 { 10.0.0.2 }",
		"delete element inet patchbay web_ip4_port { 10.0.0.2 . 80 }",
	}
	if diff := cmp.Diff(want, events()); diff != "" {
		t.Errorf("what the kernel was told to change (-want +got):\n%s", diff)
	}
}

// monitor listens to the kernel's changes of the firewall; what it gives ends that and
// lists them, sorted.
func (f *firewall) monitor(tb testing.TB) (events func() []string) {
	tb.Helper()
	path, err := lookPath("nft")
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(path, "-n", "monitor")
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start nft monitor: %v", err)
	}
	stop := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	tb.Cleanup(stop)
	lines := bufio.NewScanner(out)
	// A table of the test's own marks where the listening begins and ends; it is made
	// again until it is heard of.
	heard := make(chan struct{})
	found := make(chan []string, 1)
	go func() {
		defer close(found)
		var all []string
		begun := false
		for lines.Scan() {
			switch line := strings.TrimSpace(lines.Text()); {
			case strings.HasPrefix(line, "add table inet listening"):
				if !begun {
					begun = true
					close(heard)
				}
			case strings.HasPrefix(line, "add table inet end"):
				found <- all
				return
			case strings.Contains(line, "inet patchbay"):
				all = append(all, line)
			}
		}
	}()
	moduletest.Wait(tb, "nft monitor told nothing", func() bool {
		f.nft(tb, "add table inet listening\ndelete table inet listening\nadd table inet listening")
		f.nft(tb, "delete table inet listening")
		select {
		case <-heard:
			return true
		default:
			return false
		}
	})
	return func() []string {
		f.nft(tb, "add table inet end")
		all := <-found
		stop()
		slices.Sort(all)
		return all
	}
}

func TestSetsOfAServiceThatIsGone(t *testing.T) {
	f := newFirewall(t)
	f.nft(t, theirs)
	s := f.stack(t, `service_names = ["idle"]`)
	db := at("10.0.0.9", 80).With(func(i *moduletest.Instance) { i.Name = "db" })
	s.Give(t, at("10.0.0.1", 80), db)
	s.Apply(t)
	s.Give(t)
	s.Apply(t)
	var names []string
	for _, block := range ofModule(f.ruleset(t)) {
		names = append(names, strings.Fields(block)[1])
	}
	// web_ip4 and web_ip4_port are used by a rule; the others of web, and db, are not.
	want := []string{"idle_ip4", "idle_ip4_port", "idle_ip6", "idle_ip6_port", "web_ip4", "web_ip4_port"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("sets of the module (-want +got):\n%s", diff)
	}
	if got := append(f.elements(t, "web_ip4"), f.elements(t, "web_ip4_port")...); len(got) > 0 {
		t.Errorf("the sets of a service that is gone have %q", got)
	}
	f.boots(t)
}

func TestTheFileBringsTheFirewallBack(t *testing.T) {
	a, other := "10.77.1.1", "10.77.1.2"
	f := newFirewall(t, a, other)
	port := f.serve(t)
	s := f.stack(t, allow(port))
	s.Give(t, at(a, 80), at("fd00::1", 81))
	s.Apply(t)
	f.boots(t)
	f.reaches(t, port, []string{a, other}, []string{a})
	// Loaded again without a flush, it takes out what does not belong.
	f.nft(t, "add element inet patchbay web_ip4 { "+other+" }")
	f.nft(t, fmt.Sprintf("include %q\n", f.file()))
	f.reaches(t, port, []string{a, other}, []string{a})
}

func TestTheNextChangeRepairsWhatWasChangedByHand(t *testing.T) {
	f := newFirewall(t)
	s := f.stack(t, allow(4000))
	s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80))
	s.Apply(t)
	want := ofModule(f.ruleset(t))
	for sentence, byHand := range map[string]string{
		"the firewall was flushed":               "flush ruleset",
		"elements were added and taken":          "delete element inet patchbay web_ip4 { 10.0.0.1 }\nadd element inet patchbay web_ip4 { 10.6.6.6 }",
		"an element has a comment":               `add element inet patchbay web_ip4 { 10.6.6.6 comment "a, b } c" }`,
		"the chain is gone":                      "flush chain inet patchbay allow_input\ndelete chain inet patchbay allow_input",
		"a set with a name of the module's kind": "add set inet patchbay evil_ip4 { type ipv4_addr; }\nadd element inet patchbay evil_ip4 { 10.6.6.6 }",
		"a chain of the module's name":           "add chain inet patchbay allow_forward\nadd rule inet patchbay allow_forward accept",
	} {
		s.Give(t, at("10.0.0.1", 80))
		s.Apply(t)
		f.nft(t, byHand)
		s.Give(t, at("10.0.0.1", 80), at("10.0.0.2", 80))
		s.Apply(t)
		if diff := cmp.Diff(want, ofModule(f.ruleset(t))); diff != "" {
			t.Errorf("%s: sets of the module (-want +got):\n%s", sentence, diff)
		}
	}
}

func TestARefusedChangeLeavesAllAsItWas(t *testing.T) {
	f := newFirewall(t)
	s := f.stack(t)
	s.Give(t, at("10.0.0.1", 80))
	s.Apply(t)
	// A set that somebody declared otherwise.
	f.nft(t, "add set inet patchbay db_ip4 { type inet_service; }\nadd chain inet patchbay x\nadd rule inet patchbay x tcp dport @db_ip4 accept")
	before, content := f.ruleset(t), f.content(t)
	s.Give(t, at("10.0.0.2", 80), at("10.0.0.9", 80).With(func(i *moduletest.Instance) { i.Name = "db" }))
	for range 2 {
		said := s.Refused(t)
		for _, want := range []string{"db_ip4", "{ type inet_service; } by somebody else", "nothing was changed, the firewall is as before", "the next run tries again"} {
			if !strings.Contains(said, want) {
				t.Errorf("the error does not say %q:\n%s", want, said)
			}
		}
	}
	if diff := cmp.Diff(before+content, f.ruleset(t)+f.content(t)); diff != "" {
		t.Errorf("firewall and file (-before +after):\n%s", diff)
	}
	f.onlyFiles(t, "patchbay.nft")
	f.nft(t, "delete chain inet patchbay x\ndelete set inet patchbay db_ip4")
	s.Apply(t)
	if got := append(f.elements(t, "db_ip4"), f.elements(t, "web_ip4")...); !slices.Equal(got, []string{"10.0.0.9", "10.0.0.2"}) {
		t.Errorf("elements of db and web: %q", got)
	}
	s.Settled(t)
	f.onlyFiles(t, "patchbay.nft")
}

func (f *firewall) content(tb testing.TB) string {
	tb.Helper()
	content, err := os.ReadFile(f.file())
	if err != nil {
		tb.Fatalf("read file: %v", err)
	}
	return string(content)
}

// onlyFiles fails when the module's directory has other files, hidden ones too.
func (f *firewall) onlyFiles(tb testing.TB, want ...string) {
	tb.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		tb.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("files of the directory (-want +got):\n%s", diff)
	}
}

func TestTwoModulesNeedTwoTables(t *testing.T) {
	f := newFirewall(t)
	one := f.stack(t)
	one.Give(t, at("10.0.0.1", 80))
	one.Apply(t)
	same := moduletest.New(t, "firewall-nftables", fmt.Sprintf("file_path = %q", filepath.Join(f.dir, "second.nft")))
	same.Give(t, at("10.0.0.2", 80))
	if said := same.Refused(t); !strings.Contains(said, "table inet patchbay belongs to "+f.file()+" already; nothing was changed") {
		t.Errorf("the error does not tell whose the table is:\n%s", said)
	}
	renamed := f.stack(t, `table = "edge"`)
	renamed.Give(t, at("10.0.0.2", 80))
	if said := renamed.Refused(t); !strings.Contains(said, "was not written for table inet edge; nothing was changed") {
		t.Errorf("the error does not tell that the file is of another table:\n%s", said)
	}
	if strings.Contains(f.ruleset(t), "10.0.0.2") {
		t.Error("a refused module changed the firewall")
	}

	two := moduletest.New(t, "firewall-nftables", `table = "edge"`, fmt.Sprintf("file_path = %q", filepath.Join(f.dir, "second.nft")))
	for n := range 3 {
		var group errgroup.Group
		for _, s := range []*moduletest.Stack{one, two} {
			s.Give(t, at(fmt.Sprintf("10.0.1.%d", n+1), 80))
			group.Go(func() error {
				if out, err := s.Run("apply", "-auto-approve"); err != nil {
					return fmt.Errorf("apply: %w:\n%s", err, out)
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		// Each has it in two sets.
		if got := strings.Count(f.ruleset(t), fmt.Sprintf("10.0.1.%d", n+1)); got != 4 {
			t.Errorf("the address is in %d sets, want 4", got)
		}
	}
	f.onlyFiles(t, "patchbay.nft", "second.nft")
}
