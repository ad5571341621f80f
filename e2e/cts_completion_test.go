package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"

	"github.com/google/go-cmp/cmp"
)

// completionTasks are an enabled and a disabled task.
func (w *world) completionTasks(use func(w *world)) {
	w.t.Helper()
	w.settled(use, strings.Replace(moduleTask("off", "web", w.module("off", "")), "{\n", "{\n  enabled = false\n", 1))
}

// offered are the words that bash would show for a line.
func (w *world) offered(script, function, line string) []string {
	w.t.Helper()
	words := strings.Split(line, " ")
	quoted := make([]string, 0, len(words))
	for _, word := range words {
		quoted = append(quoted, "'"+word+"'")
	}
	// What the package bash-completion gives, for machines that do not have it.
	cmd := exec.Command("bash", "--norc", "--noprofile", "-c", `
_get_comp_words_by_ref() { cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" words=("${COMP_WORDS[@]}") cword="$COMP_CWORD"; }
__ltrim_colon_completions() { :; }
compopt() { :; }
`+script+fmt.Sprintf(`
COMP_WORDS=(%s) COMP_CWORD=%d COMP_LINE=%q COMP_POINT=%d COMP_TYPE=9 COMP_KEY=9
export COMP_LINE COMP_POINT COMP_TYPE COMP_KEY
%s
`, strings.Join(quoted, " "), len(words)-1, line, len(line), function))
	prepared, err := w.program.Command()
	w.must(err)
	cmd.Dir, cmd.Env = prepared.Dir, append(prepared.Env, "PATCHBAY_ADDRESS="+w.patchbay.API, "CTS_ADDRESS="+w.patchbay.API,
		"PATH="+filepath.Dir(w.program.Binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("complete %q in bash: %v\n%s", line, err, out)
	}
	found := strings.Fields(string(out))
	slices.Sort(found)
	return found
}

// nameLines are lines that a shell completes, with the names it must offer.
var nameLines = map[string][]string{"enable": {"off"}, "disable": {"ids"}, "delete": {"ids", "off"}}

func TestAShellCompletesTheNamesOfTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	w.completionTasks(func(*world) {})
	script := w.ask("completion", "bash")
	show := `__start_patchbay; printf '%s\n' "${COMPREPLY[@]}"`
	for command, want := range nameLines {
		if diff := cmp.Diff(want, w.offered(script, show, "patchbay task "+command+" ")); diff != "" {
			t.Errorf("the names for %s (-want +got):\n%s", command, diff)
		}
	}
	if diff := cmp.Diff([]string{"off"}, w.offered(script, show, "patchbay task show o")); diff != "" {
		t.Errorf("the names that begin with o (-want +got):\n%s", diff)
	}
	// They are live: a task that is disabled now is offered for enabling.
	w.ask("task", "disable", "ids")
	if diff := cmp.Diff([]string{"ids", "off"}, w.offered(script, show, "patchbay task enable ")); diff != "" {
		t.Errorf("the names for enable after a change (-want +got):\n%s", diff)
	}
	for shell, text := range map[string]string{"zsh": "#compdef patchbay", "fish": "complete -c patchbay"} {
		wantText(t, w.ask("completion", shell), text)
	}
}

func TestUnderTheOldNameAShellCompletesTheNamesOfTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("web", "web-1")
	w.completionTasks((*world).legacy)
	rc := w.file(".bashrc", "# mine\n")
	w.says(0, "", []string{"-autocomplete-install"})
	line := "complete -C " + w.program.Binary + " consul-terraform-sync"
	w.reads(rc, "# mine\n"+line+"\n")
	for command, want := range nameLines {
		if diff := cmp.Diff(want, w.offered("", w.program.Binary, "consul-terraform-sync task "+command+" ")); diff != "" {
			t.Errorf("the names for %s (-want +got):\n%s", command, diff)
		}
	}
	if diff := cmp.Diff([]string{"create", "delete", "disable", "enable"}, w.offered("", w.program.Binary, "consul-terraform-sync task ")); diff != "" {
		t.Errorf("the commands of task (-want +got):\n%s", diff)
	}
	w.says(0, "", []string{"-autocomplete-uninstall"})
	w.reads(rc, "# mine\n")
	ports, err := rig.Ports(1)
	w.must(err)
	w.patchbay.API = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	if got := w.offered("", w.program.Binary, "consul-terraform-sync task delete "); len(got) > 0 {
		t.Errorf("without an agent the names are %v, want none", got)
	}
}
