package terraform

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"patchbay/tasks"
	"patchbay/tasks/catalog"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	dataDir         = ".terraform"
	initKeyName     = dataDir + "/patchbay-init"
	environmentName = dataDir + "/environment"
	// memoryName is where Terraform remembers the backend, without any state.
	memoryName = dataDir + "/terraform.tfstate"
	lockName   = ".terraform.lock.hcl"
	// defaultWorkspace is always there, and the only one of some backends.
	defaultWorkspace = "default"
	// maxModuleFiles bounds the files of local modules that are looked at.
	maxModuleFiles = 10000
	// maxSmallFile bounds what is read of Terraform's own small files, in bytes.
	maxSmallFile = 4 << 20
)

// initKey is what an init depended on.
type initKey struct {
	Key     catalog.Digest `json:"key"`
	Backend catalog.Digest `json:"backend"`
	// backend is the text of the backend block.
	backend string
}

// same tells whether init need not run again.
func (k initKey) same(other initKey) bool { return k.Key == other.Key && k.Backend == other.Backend }

// newInitKey digests all that init depends on: the configuration of the root
// module, local modules, the lock file and the executable. Values are no part of
// it, so a change in Consul never asks for an init.
func newInitKey(root *os.Root, files tasks.Files, b Binary) initKey {
	h := catalog.NewHasher().String("1", b.Path, b.Product, b.Version, b.stamp, files.Workspace)
	var backend []string
	for _, name := range slices.Sorted(maps.Keys(files.Root)) {
		isJSON := strings.HasSuffix(name, ".tf.json")
		if !isJSON && !strings.HasSuffix(name, ".tf") {
			continue
		}
		content := files.Root[name].Content
		h.String(name, string(content))
		// A JSON file of the root holds providers, and no module or backend.
		if isJSON || strings.Contains(name, "/") {
			continue
		}
		f, diags := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
		body, ok := f.Body.(*hclsyntax.Body)
		if diags.HasErrors() || !ok {
			continue // Terraform tells it better
		}
		for _, source := range localModules(body) {
			h.String(source)
			stampModule(h, files.Dir, source)
		}
		backend = append(backend, backends(body, content)...)
	}
	lock, _ := readSmall(root, lockName)
	h.String(string(lock))
	return initKey{
		Key: h.Sum(), Backend: catalog.NewHasher().Strings(backend).Sum(),
		backend: strings.Join(backend, "\n"),
	}
}

// localModules lists the sources of module blocks that are directories here.
func localModules(body *hclsyntax.Body) (out []string) {
	for _, b := range body.Blocks {
		attr := b.Body.Attributes["source"]
		if b.Type != "module" || attr == nil {
			continue
		}
		v, diags := attr.Expr.Value(nil)
		if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type().FriendlyName() != "string" {
			continue
		}
		s := v.AsString()
		if strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") || filepath.IsAbs(s) {
			out = append(out, s)
		}
	}
	return out
}

// backends gives the text of the terraform blocks' backend and cloud blocks.
func backends(body *hclsyntax.Body, content []byte) (out []string) {
	for _, b := range body.Blocks {
		if b.Type != "terraform" {
			continue
		}
		for _, inner := range b.Body.Blocks {
			if inner.Type == "backend" || inner.Type == "cloud" {
				out = append(out, string(inner.Range().SliceBytes(content)))
			}
		}
	}
	return out
}

// stampModule adds names, sizes and times of a module's configuration files.
func stampModule(h *catalog.Hasher, dir, source string) {
	if !filepath.IsAbs(source) {
		source = filepath.Join(dir, source)
	}
	// A module directory may be a symbolic link; inside of it none is followed.
	if resolved, err := filepath.EvalSymlinks(source); err == nil {
		source = resolved
	}
	seen := 0
	err := filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > maxModuleFiles {
			return fs.SkipAll
		}
		if d.IsDir() {
			if path != source && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".tf") && !strings.HasSuffix(path, ".tf.json") && !strings.HasSuffix(path, ".tofu") {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		h.String(path, stamp(info))
		return nil
	})
	if err != nil {
		h.String(err.Error())
	}
}

// readInitKey gives the key of the last init that succeeded; zero when there is
// none.
func readInitKey(root *os.Root) (k initKey) {
	text, err := readSmall(root, initKeyName)
	if err != nil || json.Unmarshal(text, &k) != nil {
		return initKey{}
	}
	return k
}

func writeInitKey(root *os.Root, k initKey) error {
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return putFile(root, initKeyName, text, fileMode)
}

// readSmall reads a regular file of bounded size.
func readSmall(root *os.Root, name string) ([]byte, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSmallFile {
		return nil, fmt.Errorf("read %s: not a small regular file", name)
	}
	return root.ReadFile(name)
}

// remembered is the workspace that Terraform would use.
func remembered(root *os.Root) string {
	text, err := readSmall(root, environmentName)
	if name := strings.TrimSpace(string(text)); err == nil && name != "" {
		return name
	}
	return defaultWorkspace
}
