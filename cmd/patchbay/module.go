package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"patchbay/templates"
	"patchbay/templates/source"

	"github.com/spf13/cobra"
)

// shippedPrefix begins the source of a module that Patchbay ships.
const shippedPrefix = "builtin/"

// module is the group of commands on modules; none of them asks a daemon.
func (c *cli) module() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "module",
		Short: "List and copy the shipped modules, try and judge any module",
		Args:  cobra.ArbitraryArgs,
		RunE:  c.unknownCommand,
	}
	cmd.Flags().SetInterspersed(false)
	cmd.AddCommand(c.moduleList(), c.moduleShow(), c.moduleInit(), c.moduleTry(), c.moduleLint(), c.moduleTalk())
	return cmd
}

// arguments takes from least to most arguments, which are called what.
func (c *cli) arguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		_, command, _ := strings.Cut(cmd.CommandPath(), " ")
		return c.misuse(command, "this command takes other arguments: [options] "+what, fmt.Sprintf("%d arguments were passed to the command", len(args)))
	}
}

// shipped gives a module that Patchbay ships, by its name with or without builtin/.
func shipped(arg string) (name string, files fs.FS, err error) {
	name = strings.TrimPrefix(arg, shippedPrefix)
	files, ok := templates.BuiltinFS(name)
	if !ok {
		return "", nil, fail(fmt.Sprintf("no module '%s' is shipped", arg), nil, "Shipped are: "+strings.Join(templates.BuiltinNames(), ", ")+".")
	}
	return name, files, nil
}

// located gives the files of a module in a directory, or of a shipped one by
// builtin/NAME, and its source as a task has it.
func located(arg string) (source string, files fs.FS, err error) {
	if strings.HasPrefix(arg, shippedPrefix) {
		_, files, err = shipped(arg)
		return arg, files, err
	}
	source, err = filepath.Abs(arg)
	if err != nil {
		return "", nil, fail(fmt.Sprintf("unable to find the module '%s'", arg), err)
	}
	return source, os.DirFS(source), nil
}

// parsed reads a module.
func parsed(arg string, files fs.FS) (*source.Module, error) {
	m, err := source.Read(files)
	switch {
	case err == nil:
		return m, nil
	case errors.Is(err, source.ErrNoModule):
		return nil, fail(fmt.Sprintf("there is no module in '%s'", arg), err, "Name the directory that holds the module's .tf files.")
	}
	return nil, fail(fmt.Sprintf("unable to read the module '%s'", arg), err)
}

// completeShipped lets a shell complete the name of a shipped module.
func completeShipped(cmd *cobra.Command) {
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return templates.BuiltinNames(), cobra.ShellCompDirectiveNoFileComp
	}
}

// needed tells in words what a module needs.
func needed(n source.Needs) string {
	out := "any Terraform"
	if n.Terraform != "" {
		out = "Terraform " + n.Terraform
	}
	if len(n.Providers) == 0 {
		return out + ", no provider"
	}
	for _, p := range n.Providers {
		source := p.Source
		if source == "" {
			source = p.Name
		}
		out += ", " + strings.TrimSpace(source+" "+p.Version)
	}
	return out
}

var (
	markdownLink = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	sentenceEnd  = regexp.MustCompile(`[.!?](\s|$)`)
)

// firstSentence gives the first sentence of a README, as plain text.
func firstSentence(readme string) string {
	var words []string
	for line := range strings.Lines(readme) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
			continue
		case line == "" && len(words) == 0:
			continue
		case line == "":
			return sentence(words)
		}
		words = append(words, line)
	}
	return sentence(words)
}

func sentence(words []string) string {
	text := markdownLink.ReplaceAllString(strings.Join(words, " "), "$1")
	text = strings.NewReplacer("`", "", "**", "").Replace(text)
	if end := sentenceEnd.FindStringIndex(text); end != nil {
		text = text[:end[0]+1]
	}
	return text
}

// readme reads a module's README; one without has none.
func readme(files fs.FS) string {
	text, err := fs.ReadFile(files, "README.md")
	if err != nil {
		return ""
	}
	return string(text)
}
