package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// width is the column at which causes are wrapped.
const width = 78

// talk is what a command that changes a task says and asks, in the forms that
// scripts of Consul-Terraform-Sync's users look for: a headline, a detail, a
// question. The first failure of writing is kept, and nothing is written after it.
type talk struct {
	to   io.Writer
	from *bufio.Reader
	err  error
}

func (c *cli) talk() *talk { return &talk{to: c.stdout, from: bufio.NewReader(c.stdin)} }

func (t *talk) write(text string) {
	if t.err != nil {
		return
	}
	if _, err := io.WriteString(t.to, printable(text, '\n', '\t')); err != nil {
		t.err = fail("unable to write the answer", err)
	}
}

// headline says what happens now.
func (t *talk) headline(format string, args ...any) {
	t.write("==> " + fmt.Sprintf(format, args...) + "\n")
}

// detail says more. Only its first line is indented, and an empty one is a blank line.
func (t *talk) detail(format string, args ...any) {
	t.write(indented(fmt.Sprintf(format, args...)) + "\n")
}

func indented(text string) string {
	if text == "" {
		return ""
	}
	return "    " + text
}

// approve asks for the word yes. With another answer it says that the action was
// cancelled, such as "enabling task 'web'"; the end of input is an error.
func (t *talk) approve(action string) (bool, error) {
	t.detail("Only 'yes' will be accepted to approve, enter 'no' or leave blank to reject.\n")
	t.write("Enter a value: ")
	if t.err != nil {
		return false, t.err
	}
	answer, err := t.from.ReadString('\n')
	t.write("\n")
	if err != nil {
		return false, &failure{code: exitError, bare: true, what: fmt.Sprintf("Error asking for approval: %v", err)}
	}
	if strings.TrimRight(answer, "\r\n") == "yes" {
		return true, t.err
	}
	t.detail("Cancelled %s", action)
	return false, t.err
}

// caution says what a person agrees to who approves a plan.
func (t *talk) caution(product, name string) {
	t.detail("Do you want to perform these actions for '%s'?", name)
	t.detail(" - This action cannot be undone.")
	t.detail(" - %s cannot guarantee Terraform will perform", product)
	t.detail("   these exact actions if monitored services have changed.\n")
}

// wrap breaks lines at spaces so that they have at most n characters; a longer
// word stays whole.
func wrap(text string, n int) string {
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		start := len(lines)
		for word := range strings.SplitSeq(line, " ") {
			last := len(lines) - 1
			if last >= start && utf8.RuneCountInString(lines[last])+1+utf8.RuneCountInString(word) <= n {
				lines[last] += " " + word
				continue
			}
			lines = append(lines, word)
		}
	}
	return strings.Join(lines, "\n")
}
