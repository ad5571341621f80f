package templates

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed modules
var modules embed.FS

// moduleDir is where the shipped modules are below this package.
const moduleDir = "modules"

// Builtin gives the files of a shipped module by slash-separated path below the
// module's directory, its README included. ok is false when no module has the name.
// The caller may change what it gets.
func Builtin(name string) (files map[string][]byte, ok bool) {
	root, ok := BuiltinFS(name)
	if !ok {
		return nil, false
	}
	files = map[string][]byte{}
	err := fs.WalkDir(root, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "tests" || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		files[file], err = fs.ReadFile(root, file)
		return err
	})
	return files, err == nil
}

// BuiltinFS gives a shipped module as a file system to read.
func BuiltinFS(name string) (fs.FS, bool) {
	if name == "" || strings.ContainsAny(name, "/.") {
		return nil, false
	}
	root, err := fs.Sub(modules, path.Join(moduleDir, name))
	if err != nil {
		return nil, false
	}
	_, err = fs.Stat(root, ".")
	return root, err == nil
}

// BuiltinNames lists the shipped modules in the order of name.
func BuiltinNames() []string {
	entries, err := modules.ReadDir(moduleDir)
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
