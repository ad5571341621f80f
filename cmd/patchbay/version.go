package main

import (
	"cmp"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

const compatible = "Terraform >= 1.5, OpenTofu >= 1.6"

// built is what the Go toolchain knows of this binary.
type built struct {
	Version    string `json:"version"`
	Commit     string `json:"commit"`
	Go         string `json:"go"`
	Compatible string `json:"compatible"`
}

func build() built {
	b := built{Version: "(devel)", Commit: "unknown", Compatible: compatible}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version, b.Go = cmp.Or(info.Main.Version, b.Version), info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Commit = s.Value
		}
	}
	return b
}

// version gives the two lines that -version prints.
func version() string {
	b := build()
	return fmt.Sprintf("patchbay %s (%s)\nCompatible with %s\n", b.Version, b.Commit, b.Compatible)
}

func (c *cli) versionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "Tell version and commit", Args: c.noArguments}
	o := outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		return c.show(*o, build(), func(p *page) { p.b.WriteString(version()) })
	}
	return cmd
}
