package nftables

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/templates/internal/moduletest"
)

// injected is what nft would execute if it got there.
const injected = "}; add table inet pwned; add rule inet patchbay x {"

func TestWhatNftCouldMisreadIsSkipped(t *testing.T) {
	f := newFirewall(t)
	s := f.stack(t)
	bad := map[string]moduletest.Instance{
		"commands after an address":               at("10.0.0.1 "+injected, 80),
		"an address of two lines":                 at("10.0.0.1\n10.0.0.2", 80),
		"a line feed at the end":                  at("10.0.0.1\n", 80),
		"a carriage return":                       at("10.0.0.1\r", 80),
		"a network":                               at("10.0.0.0/8", 80),
		"everything":                              at("0.0.0.0/0", 80),
		"all of IPv6":                             at("::/0", 80),
		"a range":                                 at("10.0.0.1-10.0.0.9", 80),
		"a list":                                  at("10.0.0.1, 10.0.0.2", 80),
		"the unspecified address":                 at("0.0.0.0", 80),
		"the unspecified address of IPv6":         at("0::0", 80),
		"a multicast address":                     at("224.0.0.1", 80),
		"broadcast":                               at("255.255.255.255", 80),
		"a multicast address of IPv6":             at("FF02::1", 80),
		"an octal part":                           at("10.0.0.010", 80),
		"an IPv4 address out of range":            at("10.0.0.256", 80),
		"an IPv4-mapped address":                  at("::ffff:10.0.0.1", 80),
		"no IPv6 address":                         at(":::", 80),
		"an IPv6 address with zone":               at("fe80::1%eth0", 80),
		"a host name":                             at("localhost", 80),
		"a set":                                   at("@web_ip4", 80),
		"a variable":                              at("$x", 80),
		"a template of Terraform":                 at("${path.module}", 80),
		"an include":                              at("include \"/etc/passwd\"", 80),
		"a comment":                               at("10.0.0.1 #", 80),
		"no address at all":                       at("", 80),
		"no service name":                         at("10.0.0.1", 80).With(func(i *moduletest.Instance) { i.Name = "" }),
		"an address in full-width characters":     at("１０.0.0.1", 80),
		"an address of a megabyte":                at(strings.Repeat("1", 1<<20), 80),
		"an unusable address with a bad port too": at("x", -1),
	}
	odd := map[string]moduletest.Instance{
		"good": at("10.0.0.1", 80), "no port": at("10.0.0.2", 0), "a negative port": at("10.0.0.3", -1), "a port out of range": at("10.0.0.4", 65536),
		"meta and tags are not looked at": at("2001:DB8:0:0::5", 80).With(func(i *moduletest.Instance) {
			i.Meta, i.Tags = map[string]string{"x": injected, "weight": injected}, []string{injected, "\n"}
			i.User = map[string]string{"x": injected}
		}),
	}
	services := map[string]moduletest.Instance{}
	want := map[string]bool{"no port": true, "a negative port": true, "a port out of range": true}
	for sentence, i := range bad {
		services[sentence], want[sentence] = i, true
	}
	for sentence, i := range odd {
		services[sentence+" ${x}\" ; }\n"] = i
	}
	for n, name := range []string{injected, "web\n", "1web", "-web", "@web", "ip", "set", "wéb", "Web.API", "${x}", strings.Repeat("x", 300)} {
		services[fmt.Sprint("name ", n)] = at("10.1.0.1", 80).With(func(i *moduletest.Instance) { i.Name = name })
	}
	s.Set(t, "services", services)
	s.Apply(t)
	if got := command(t, "", "nft", "list", "tables"); got != "table inet patchbay\n" {
		t.Errorf("tables: %q", got)
	}
	got := append(f.elements(t, "web_ip4"), append(f.elements(t, "web_ip6"), f.elements(t, "web_ip4_port")...)...)
	if diff := cmp.Diff([]string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "2001:db8::5", "10.0.0.1 . 80"}, got); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
	var sets map[string]struct{ Name string }
	s.Output(t, "sets", &sets)
	names := map[string]bool{}
	for _, set := range sets {
		names[set.Name] = true
		if got := f.elements(t, set.Name+"_ip4"); set.Name != "web" && !slices.Equal(got, []string{"10.1.0.1"}) {
			t.Errorf("set of %q has %q", set.Name, got)
		}
	}
	if len(names) != 12 || sets["Web.API"].Name[:10] != "s_Web_API." || sets["ip"].Name != "ip" {
		t.Errorf("%d names of sets, want 12: %q", len(names), sets)
	}
	f.skipped(t, s, want)
	s.Settled(t)
	f.boots(t)
}

// skipped fails unless exactly these instances were left out or are in fewer sets.
func (f *firewall) skipped(t *testing.T, s *moduletest.Stack, want map[string]bool) {
	t.Helper()
	var skipped []struct{ Instance, Reason string }
	s.Output(t, "skipped", &skipped)
	got := map[string]bool{}
	for _, i := range skipped {
		key, _, _ := strings.Cut(i.Instance, " ${x}")
		got[key] = true
		if i.Reason == "" {
			t.Errorf("%s: no reason", key)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestOnlyTheHealthyWhereThatIsAsked(t *testing.T) {
	f := newFirewall(t)
	var services []moduletest.Instance
	for n, status := range []string{"passing", "warning", "critical", "maintenance", ""} {
		services = append(services, at(fmt.Sprintf("10.0.0.%d", n+1), 80).With(func(i *moduletest.Instance) { i.Status = status }))
	}
	for argument, want := range map[string][]string{
		"only_healthy = false": {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"},
		"only_healthy = true":  {"10.0.0.1", "10.0.0.2", "10.0.0.5"},
	} {
		s := f.stack(t, argument)
		s.Give(t, services...)
		s.Apply(t)
		if diff := cmp.Diff(want, f.elements(t, "web_ip4")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", argument, diff)
		}
	}
}

func TestSenselessPlansAreRefused(t *testing.T) {
	f := newFirewall(t)
	for want, arguments := range map[string][]string{
		"file_path must be the absolute path":                      {`file_path = "patchbay.nft"`},
		"table must start with a letter":                           {`table = "x; flush ruleset"`},
		"nft_command must name a program":                          {`nft_command = ["sudo", ""]`},
		"service_names must have no empty name":                    {`service_names = [""]`},
		"refuse must be reject or drop":                            {`refuse = "accept"`},
		"lock_timeout must be a whole number":                      {`lock_timeout = 0.5`},
		"max_elements must be a whole number":                      {`max_elements = 0`},
		"allow[0] must name a service":                             {`allow = [{ service = "", ports = [80] }]`},
		"allow[0] must have ports":                                 {`allow = [{ service = "web", ports = [] }]`},
		"allow[1] must have ports, whole numbers from 1 to 65535":  {`allow = [{ service = "web", ports = [80] }, { service = "web", ports = [80.5] }]`},
		"allow[0]: protocol must be tcp or udp":                    {`allow = [{ service = "web", ports = [80], protocol = "icmp" }]`},
		`and "10.0.0.0/33" is none`:                                {`allow = [{ service = "web", ports = [80], from = ["10.0.0.0/33"] }]`},
		"web has 3. Nothing was changed and the sets are as befor": {`max_elements = 2`},
	} {
		if !strings.HasPrefix(arguments[0], "file_path") {
			arguments = append(arguments, fmt.Sprintf("file_path = %q", f.file()))
		}
		s := moduletest.New(t, "firewall-nftables", arguments...)
		s.Give(t, moduletest.Instances("web", 3)...)
		if said := s.Refused(t); !strings.Contains(said, want) {
			t.Errorf("%q: the error does not say %q:\n%s", arguments, want, said)
		}
	}
	if got := f.ruleset(t); got != "" {
		t.Errorf("a refused plan changed the firewall:\n%s", got)
	}
	f.onlyFiles(t)
}

func TestRulesOfAllow(t *testing.T) {
	f := newFirewall(t)
	s := f.stack(t, `refuse = "drop"`, `allow = [
    { service = "web", ports = [5432, 5433], from = ["10.9.8.7/24", "2001:DB8::/48"] },
    { service = "api", ports = [5432] },
    { service = "web", ports = [53], protocol = "udp", through = true },
  ]`)
	s.Apply(t)
	var got []string
	for line := range strings.SplitSeq(command(t, "", "nft", "list", "table", "inet", "patchbay"), "\n") {
		if line = strings.TrimSpace(line); strings.HasSuffix(line, "accept") || strings.HasSuffix(line, "drop") {
			got = append(got, line)
		}
	}
	want := []string{
		"ct state established,related accept",
		"ip saddr @web_ip4 udp dport 53 accept",
		"ip6 saddr @web_ip6 udp dport 53 accept",
		"udp dport 53 drop",
		"ct state established,related accept",
		`iifname "lo" accept`,
		"ip saddr @web_ip4 tcp dport { 5432, 5433 } accept",
		"ip6 saddr @web_ip6 tcp dport { 5432, 5433 } accept",
		"ip saddr 10.9.8.0/24 tcp dport { 5432, 5433 } accept",
		"ip6 saddr 2001:db8::/48 tcp dport { 5432, 5433 } accept",
		"ip saddr @api_ip4 tcp dport 5432 accept",
		"ip6 saddr @api_ip6 tcp dport 5432 accept",
		"tcp dport { 5432, 5433 } drop",
		"tcp dport 5432 drop",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	s.Settled(t)
	f.boots(t)
}

func TestTheScriptRunsUnderDashAndBusybox(t *testing.T) {
	script, err := filepath.Abs("../../modules/firewall-nftables/apply.sh")
	if err != nil {
		t.Fatal(err)
	}
	content := func(elements ...string) string {
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		fmt.Fprintf(zip, "add set inet patchbay web_ip4 { type ipv4_addr; }\nflush set inet patchbay web_ip4\nadd element inet patchbay web_ip4 {\n\t%s\n}\n",
			strings.Join(elements, ",\n\t"))
		if err := zip.Close(); err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(packed.Bytes())
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatalf("%v; install busybox", err)
	}
	applets := t.TempDir()
	for _, name := range []string{"sh", "awk", "base64", "cat", "cmp", "grep", "gzip", "mv", "rm", "sed", "sleep", "sort"} {
		if err := os.Symlink(busybox, filepath.Join(applets, name)); err != nil {
			t.Fatal(err)
		}
	}
	// Debian's has no flock, Alpine's has.
	flock, err := exec.LookPath("flock")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(flock, filepath.Join(applets, "flock")); err != nil {
		t.Fatal(err)
	}
	nft, err := exec.LookPath("nft") // which may be on no other PATH than this one
	if err != nil {
		nft = "/usr/sbin/nft"
	}
	for shell, path := range map[string]string{"dash": os.Getenv("PATH"), filepath.Join(applets, "sh"): applets} {
		f := newFirewall(t)
		for _, want := range [][]string{{"10.0.0.1"}, {"10.0.0.1", "10.0.0.2"}, {"10.0.0.2", "10.0.0.3"}, {"10.0.0.2", "10.0.0.3"}} {
			cmd := exec.Command(shell, script, f.file(), "patchbay", nft)
			packed := content(want...)
			cmd.Env = []string{"PATH=" + path, "LOCK_TIMEOUT=30", "SETS_0=" + packed[:20], "SETS_1=" + packed[20:]}
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Fatalf("%s: %v: %s", shell, err, out)
			}
			if got := f.elements(t, "web_ip4"); !slices.Equal(got, want) {
				t.Errorf("%s: elements %q, want %q", shell, got, want)
			}
			f.onlyFiles(t, "patchbay.nft")
		}
	}
}
