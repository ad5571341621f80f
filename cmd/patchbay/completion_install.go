package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// plainPath is a path that needs no quotes, neither in a shell's start-up file
// nor where that shell runs it.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_./+-]+$`)

// installCompletion adds completion to the start-up files of the shells, or takes
// it away.
func (c *cli) installCompletion(add bool) error {
	what := "unable to install the autocomplete"
	if !add {
		what = "unable to uninstall the autocomplete"
	}
	program, err := exec.LookPath(c.program)
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err == nil && !plainPath.MatchString(program) {
		err = fmt.Errorf("the program's path %q needs quotes; move it", program)
	}
	home, homeErr := os.UserHomeDir()
	if err = errors.Join(err, homeErr); err != nil {
		return fail(what, err)
	}
	found := false
	for _, rc := range []string{".bashrc", ".zshrc"} {
		file := filepath.Join(home, rc)
		if _, err := os.Stat(file); err != nil {
			continue
		}
		found = true
		if err := changeLines(file, completionLines(rc, program), add); err != nil {
			return fail(what, err)
		}
	}
	if !found {
		return fail(what, errShell)
	}
	return nil
}

// changeLines adds lines to the end of a file, or takes them out wherever they
// stand. The file keeps its mode and, as a link, its target.
func changeLines(file string, lines []string, add bool) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read start-up file: %w", err)
	}
	last := lines[len(lines)-1]
	kept := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	if add {
		if slices.Contains(kept, last) {
			return nil
		}
		kept = append(kept, lines...)
	} else {
		n := slices.Index(kept, last)
		if n < 0 {
			return nil
		}
		from := max(0, n-len(lines)+1)
		if !slices.Equal(kept[from:n+1], lines) {
			from = n
		}
		kept = slices.Delete(kept, from, n+1)
	}
	if err := os.WriteFile(file, []byte(strings.Join(kept, "\n")+"\n"), 0o644); err != nil {
		return fmt.Errorf("write start-up file: %w", err)
	}
	return nil
}
