package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patchbay/agent/config"
)

func TestTheHighestLevelLogsErrorsOnly(t *testing.T) {
	for _, level := range []string{"ERR", "ERROR", "err"} {
		t.Run(level, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "a.hcl")
			if err := os.WriteFile(file, []byte("log_level = \""+level+"\"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load([]string{file}, config.Options{WorkDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			log := (&cli{stderr: &out}).logger(cfg)
			log.Info("informed")
			log.Warn("warned")
			log.Error("failed")
			if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "failed") {
				t.Errorf("logged %q, want the error alone", got)
			}
		})
	}
}
