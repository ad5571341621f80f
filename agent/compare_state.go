package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"patchbay/agent/internal/terraform"
	"patchbay/tasks"
	"patchbay/templates"

	"github.com/zclconf/go-cty/cty"
)

const (
	// maxRead bounds what is read of a file that another tool made, in bytes.
	maxRead = 32 << 20
	// maxState bounds a copied state, in bytes.
	maxState = 512 << 20
)

// besideBackend gives the backend that a plan beside another tool uses, and what
// is copied for it. A state in files is copied; of the others, consul would lock
// and pg make its schema whatever the command line says.
func besideBackend(t tasks.Task, b templates.Backend) (templates.Backend, terraform.Copied, error) {
	lock, err := readFile(filepath.Join(t.WorkingDir, ".terraform.lock.hcl"), maxRead)
	copied := terraform.Copied{Lock: lock}
	if err != nil {
		return b, copied, fmt.Errorf("read lock file of the providers: %w", err)
	}
	switch b.Type {
	case "", "local":
		copied.Local = true
		copied.State, err = localState(t, b)
		return templates.Backend{}, copied, err
	case "remote", "cloud":
		return b, copied, fmt.Errorf("plan beside the backend %s: it makes runs of its own; nothing was planned: look at the plan of patchbay start -inspect when Consul-Terraform-Sync has stopped", b.Type)
	}
	own := templates.Backend{Type: b.Type, Attributes: maps.Clone(b.Attributes)}
	for _, attribute := range writing[b.Type] {
		if own.Attributes == nil {
			own.Attributes = map[string]cty.Value{}
		}
		own.Attributes[attribute.name] = attribute.off
	}
	return own, copied, nil
}

// setting is an attribute of a backend.
type setting struct {
	name string
	off  cty.Value
}

// writing are the settings that keep a backend from writing when it only reads.
var writing = map[string][]setting{
	"consul": {{"lock", cty.False}},
	"pg":     {{"skip_schema_creation", cty.True}, {"skip_table_creation", cty.True}, {"skip_index_creation", cty.True}},
}

// localState reads the state of a local backend; nil when there is none.
func localState(t tasks.Task, b templates.Backend) ([]byte, error) {
	parent := "terraform.tfstate.d"
	if v, ok := b.Attributes["workspace_dir"]; ok && !v.IsNull() && v.Type() == cty.String && v.AsString() != "" {
		parent = v.AsString()
	}
	if !filepath.IsAbs(parent) {
		parent = filepath.Join(t.WorkingDir, parent)
	}
	file := filepath.Join(parent, t.Name, "terraform.tfstate")
	content, err := readFile(file, maxState)
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if len(content) == 0 {
		return nil, nil
	}
	if !json.Valid(content) {
		return nil, fmt.Errorf("read state: %s is no whole state, perhaps it is being written; nothing was planned: compare again", file)
	}
	return content, nil
}

// readFile reads a regular file of bounded size; nil when it is not there.
func readFile(name string, most int64) ([]byte, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s is no regular file of at most %d bytes", name, most)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, most))
	if content == nil {
		content = []byte{}
	}
	return content, err
}

// made are the names that tools make in a task's directory; all others are the
// user's, whose relative paths must lead to the same.
func made(name string) bool {
	switch name {
	case "main.tf", "variables.tf", "variables.module.tf", "providers.tf.json", "providers.auto.tfvars", "variables.auto.tfvars",
		"terraform.log", "errored.tfstate":
		return true
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "terraform.tf")
}

// maxLinks bounds the entries of a task's directory.
const maxLinks = 10000

// link lets the scratch directory show what else is in the task's directory, such
// as files that the module wrote by a relative name and that planning reads.
func link(dir string, files tasks.Files) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read task directory: %w", err)
	}
	own := map[string]bool{}
	for name := range files.Root {
		first, _, _ := strings.Cut(name, "/")
		own[first] = true
	}
	if len(entries) > maxLinks {
		return fmt.Errorf("read task directory: %s has more than %d entries; nothing was planned", dir, maxLinks)
	}
	for _, e := range entries {
		if made(e.Name()) || own[e.Name()] {
			continue
		}
		if err := os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(files.Dir, e.Name())); err != nil {
			return fmt.Errorf("show what is in the task directory: %w", err)
		}
	}
	return nil
}
