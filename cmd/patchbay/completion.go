package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"patchbay/agent/client"

	"github.com/spf13/cobra"
)

// completionWait is how long a shell waits for the names of tasks.
const completionWait = 2 * time.Second

func (c *cli) completion() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     "Write a script that completes commands, flags and names of tasks",
		ValidArgs: shells,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && (args[0] == "bash" || args[0] == "zsh" || args[0] == "fish") {
				return nil
			}
			return c.misuse("completion", "this command requires the name of a shell: "+strings.Join(shells, ", "))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			switch root := cmd.Root(); args[0] {
			case "bash":
				err = root.GenBashCompletionV2(c.stdout, true)
			case "zsh":
				err = root.GenZshCompletion(c.stdout)
			default:
				err = root.GenFishCompletion(c.stdout, true)
			}
			if err != nil {
				return fail("unable to write the script", err)
			}
			return nil
		},
	}
}

// completeTask lets a shell complete the name of a task, of those that wanted
// takes. Nothing is offered when no agent answers.
func (c *cli) completeTask(cmd *cobra.Command, a *api, wanted func(client.Task) bool) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		api, err := a.connect(c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		defer api.Close()
		ctx, cancel := context.WithTimeout(cmd.Context(), completionWait)
		defer cancel()
		list, err := api.Tasks(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		for _, t := range list {
			// A name that is not printable as it is cannot be one of a task.
			if wanted(t) && strings.HasPrefix(t.Name, begin) && printable(t.Name) == t.Name {
				names = append(names, t.Name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func anyTask(client.Task) bool        { return true }
func enabledTask(t client.Task) bool  { return t.Enabled }
func disabledTask(t client.Task) bool { return !t.Enabled }

// complete answers a shell that gives a whole command line up to the cursor, as
// bash does for complete -C: one candidate per line.
func (c *cli) complete(line string) int {
	words := strings.Fields(line)
	begin := ""
	if len(words) > 1 && !strings.HasSuffix(line, " ") {
		begin, words = words[len(words)-1], words[:len(words)-1]
	}
	dash := strings.HasPrefix(begin, "-") && !strings.HasPrefix(begin, "--")
	asked := begin
	if dash {
		asked = "-" + begin
	}
	var out strings.Builder
	root := c.legacyRoot()
	root.SetOut(&out)
	root.SetErr(&strings.Builder{})
	root.SetArgs(normalise(root, append(append([]string{cobra.ShellCompNoDescRequestCmd}, words[min(1, len(words)):]...), asked)))
	if err := root.ExecuteContext(context.Background()); err != nil {
		return exitError
	}
	var found page
	for candidate := range strings.Lines(out.String()) {
		candidate = strings.TrimSpace(candidate)
		if dash {
			candidate = strings.TrimPrefix(candidate, "-")
		}
		if candidate != "" && !strings.HasPrefix(candidate, ":") && strings.HasPrefix(candidate, begin) {
			found.line(0, "%s", candidate)
		}
	}
	return c.report(c.write(found.String()))
}

// errShell tells that there is nothing to install completion in.
var errShell = errors.New("neither .bashrc nor .zshrc is in the home directory")

// completionLines are what a shell's start-up file needs for program.
func completionLines(rc, program string) []string {
	line := fmt.Sprintf("complete -C %s %s", program, legacyName)
	if rc == ".zshrc" {
		return []string{"autoload -U +X bashcompinit && bashcompinit", fmt.Sprintf("complete -o nospace -C %s %s", program, legacyName)}
	}
	return []string{line}
}
