package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// maxFile is the largest file that is read, in bytes.
const maxFile = 4 << 20

// Options are what a configuration depends on besides its files.
type Options struct {
	// Env looks up an environment variable; nil knows none.
	Env func(name string) string
	// WorkDir is absolute; relative paths, also those inside the files, start there.
	WorkDir string
	// Builtin tells whether a module of that name is shipped, for module =
	// "builtin/<name>"; nil knows none.
	Builtin func(name string) bool
	// Hostname makes the default ID; "" asks the system.
	Hostname string
	// Legacy gives the defaults that Consul-Terraform-Sync has where Patchbay's
	// differ: the ID cts-<hostname>, its name in the catalog, and an API that
	// listens on all interfaces.
	Legacy bool
}

// Load reads the files and directories at paths in their order into one Config.
// A directory is read in the order of names, not recursively. What does not end in
// .hcl or .json is passed over, with a warning when paths name it; empty files too. The error is an [*Error]
// that lists every mistake found; then the Config is empty.
func Load(paths []string, o Options) (Config, error) {
	r := newReport()
	files := readAll(paths, o.WorkDir, r)
	if len(files) == 0 && len(r.problems) == 0 {
		r.problem(Position{File: "configuration"}, "name a file that ends in .hcl or .json, or a directory with one",
			"no configuration files found")
	}
	cfg := build(files, o, r)
	if err := r.err(); err != nil {
		return Config{}, err
	}
	cfg.Warnings = r.notes()
	return cfg, nil
}

// source is one file that was read.
type source struct {
	name string
	data []byte
}

// build makes the Config of files that were read already.
func build(files []source, o Options, r *report) Config {
	all := node{kind: kindObject}
	for i, f := range files {
		at := Position{File: f.name, order: i + 1}
		if !textIsClean(at, f.data, r) {
			continue
		}
		parse, before := parseHCL, len(r.problems)
		if filepath.Ext(f.name) == ".json" {
			parse = parseJSON
		}
		all = appendFile(all, parse(at, f.data, r))
		r.broken[at.order] = len(r.problems) > before
	}
	return newDecoder(o, r).config(all)
}

// textIsClean tells whether a file is UTF-8 without control characters.
func textIsClean(at Position, src []byte, r *report) bool {
	bad, what := forbidden(src), "a control character"
	if !utf8.Valid(src) {
		bad, what = bytes.IndexFunc(src, func(c rune) bool { return c == utf8.RuneError }), "bytes that are not UTF-8"
	}
	if bad < 0 {
		return true
	}
	at.Line, at.Column = 1+bytes.Count(src[:bad], []byte("\n")), 1+utf8.RuneCount(src[1+bytes.LastIndexByte(src[:bad], '\n'):bad])
	r.problem(at, "save the file as UTF-8 text; inside strings write \\uXXXX for special characters", "the file holds %s", what)
	return false
}

func readAll(paths []string, dir string, r *report) (files []source) {
	for _, path := range paths {
		at := Position{File: path}
		full := absolute(dir, path)
		info, err := os.Stat(full)
		switch {
		case err != nil:
			r.problem(at, "correct the path", "cannot read configuration: %v", cause(err))
		case info.IsDir():
			files = append(files, readDir(path, full, r)...)
		case !isConfig(path):
			r.warn(at, "passed over: the name of a configuration file ends in .hcl or .json")
		default:
			files = append(files, readOne(path, full, r)...)
		}
	}
	return files
}

func readDir(path, full string, r *report) (files []source) {
	entries, err := os.ReadDir(full)
	if err != nil {
		r.problem(Position{File: path}, "correct the path or its permissions", "cannot read directory: %v", cause(err))
	}
	for _, e := range entries {
		if isConfig(e.Name()) && !e.IsDir() {
			files = append(files, readOne(filepath.Join(path, e.Name()), filepath.Join(full, e.Name()), r)...)
		}
	}
	return files
}

// readOne gives one file or, when it is empty, none.
func readOne(path, full string, r *report) []source {
	data, err := readBounded(full)
	if err != nil {
		r.problem(Position{File: path}, "correct the path or its permissions", "cannot read configuration: %v", cause(err))
		return nil
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	return []source{{name: path, data: data}}
}

// readBounded reads a regular file of at most maxFile bytes.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("the file is larger than %d MiB", maxFile>>20)
	}
	return data, err
}

func isConfig(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".hcl" || ext == ".json"
}

// absolute makes path absolute below dir; "" stays "".
func absolute(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// cause leaves the path out of an error of the file system, since messages begin
// with it.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// startOf makes the function that positions in one more file need.
func startOf(file Position) func(hcl.Pos) Position {
	return func(p hcl.Pos) Position {
		at := file
		at.Line, at.Column = p.Line, p.Column
		return at
	}
}
