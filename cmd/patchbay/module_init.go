package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"patchbay/templates/source"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/spf13/cobra"
)

func (c *cli) moduleInit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init NAME [DIR]",
		Short: "Copy a shipped module into a directory, to change it there",
		Long:  "Copy a shipped module into a directory, ./NAME by default, and print the task that uses it.\nA directory that holds anything is refused.",
		Args:  c.arguments(1, 2, "<name of a shipped module> [directory]"),
	}
	o := outputFlag(cmd)
	completeShipped(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		dir := strings.TrimPrefix(args[0], shippedPrefix)
		if len(args) == 2 {
			dir = args[1]
		}
		return c.copyModule(args[0], dir, *o)
	}
	return cmd
}

func (c *cli) copyModule(arg, dir string, o output) error {
	name, files, err := shipped(arg)
	if err != nil {
		return err
	}
	m, err := parsed(name, files)
	if err != nil {
		return err
	}
	list, err := copyFiles(files, dir)
	if err != nil {
		return fail(fmt.Sprintf("unable to copy the module '%s' to '%s'", name, dir), err, "Nothing was left behind. Name a directory that is not there yet.")
	}
	value := struct {
		Module string   `json:"module"`
		Dir    string   `json:"dir"`
		Files  []string `json:"files"`
		Task   string   `json:"task"`
	}{name, dir, list, taskOf(name, sourceOf(dir), m.Variables())}
	return c.show(o, value, func(p *page) {
		p.line(0, "==> Module '%s' was copied to %s: %s", name, dir, count(len(list), "file"))
		p.line(0, "Use it in a task:")
		p.blank()
		p.text(0, value.Task)
	})
}

// copyFiles copies into a directory that is empty or not there. What was written is
// removed when it cannot be finished.
func copyFiles(files fs.FS, dir string) (written []string, err error) {
	made := false
	switch there, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
		made = true
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case len(there) > 0:
		return nil, fmt.Errorf("it holds %s already, and nothing is overwritten", there[0].Name())
	}
	defer func() {
		if err == nil {
			return
		}
		for _, name := range written {
			err = errors.Join(err, os.Remove(filepath.Join(dir, filepath.FromSlash(name))))
		}
		if made {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(path, 0o755)
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		written = append(written, name)
		return os.WriteFile(path, content, 0o644)
	})
	return written, err
}

// sourceOf is how a task names a directory, so that it is not taken for a registry's.
func sourceOf(dir string) string {
	dir = filepath.ToSlash(filepath.Clean(dir))
	if filepath.IsAbs(dir) || strings.HasPrefix(dir, "../") || dir == ".." {
		return dir
	}
	return "./" + dir
}

// taskOf writes the smallest task that uses a module.
func taskOf(name, source string, variables []source.Variable) string {
	var required []string
	for _, v := range variables {
		if v.Required && v.Name != "services" {
			required = append(required, v.Name)
		}
	}
	label := strings.TrimPrefix(name, shippedPrefix)
	if !hclsyntax.ValidIdentifier(label) {
		label = "edge"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "task {\n  name   = %q\n  module = %q\n", label, source)
	if len(required) > 0 {
		fmt.Fprintf(&b, "  variable_files = [%q] # sets %s\n", label+".tfvars", strings.Join(required, ", "))
	}
	b.WriteString("\n  condition \"services\" {\n    names = [\"web\"]\n  }\n}\n")
	return b.String()
}
