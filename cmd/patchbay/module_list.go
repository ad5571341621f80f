package main

import (
	"patchbay/templates"
	"patchbay/templates/source"

	"github.com/spf13/cobra"
)

// listedModule is a shipped module as -o json writes it.
type listedModule struct {
	Name  string       `json:"name"`
	About string       `json:"about"`
	Needs source.Needs `json:"needs"`
}

func (c *cli) moduleList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the modules that Patchbay ships", Args: c.noArguments}
	o := outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error { return c.listModules(*o) }
	return cmd
}

func (c *cli) listModules(o output) error {
	list := []listedModule{}
	for _, name := range templates.BuiltinNames() {
		_, files, err := shipped(name)
		if err != nil {
			return err
		}
		m, err := parsed(name, files)
		if err != nil {
			return err
		}
		list = append(list, listedModule{Name: name, About: firstSentence(readme(files)), Needs: m.Needs()})
	}
	value := struct {
		Modules []listedModule `json:"modules"`
	}{list}
	return c.show(o, value, func(p *page) {
		for n, m := range list {
			if n > 0 {
				p.blank()
			}
			p.line(0, "%s%s", shippedPrefix, m.Name)
			if m.About != "" {
				p.line(2, "%s", m.About)
			}
			p.line(2, "needs %s", needed(m.Needs))
		}
	})
}
