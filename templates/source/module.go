package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

// Bounds of what is read of one module.
const (
	maxFile  = 4 << 20 // bytes
	maxFiles = 1000
	maxDepth = 200 // nesting of brackets

	maxSigns      = 2000
	maxConditions = 10000
)

// ErrNoModule is returned for a directory without any file of a module.
var ErrNoModule = errors.New("there is no .tf or .tf.json file")

// Module is a module as its files say it.
type Module struct {
	files    fs.FS
	blocks   []*Block
	texts    map[string][]byte
	locals   map[string]Attr
	problems []Problem
}

// Problem is what cannot be parsed.
type Problem struct {
	At           hcl.Range
	What, Detail string
}

// Read reads the files of a module in the root of a file system. What cannot be parsed
// is a [Problem]; the error is [ErrNoModule], or of what cannot be read.
func Read(files fs.FS) (*Module, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	m := &Module{files: files, texts: map[string][]byte{}, locals: map[string]Attr{}}
	for _, e := range entries {
		if !isSource(e.Name()) || e.IsDir() {
			continue
		}
		if len(m.texts) == maxFiles {
			return nil, fmt.Errorf("read module: it has more than %d files", maxFiles)
		}
		content, err := readFile(files, e.Name())
		if err != nil {
			return nil, fmt.Errorf("read module: %w", err)
		}
		m.parse(e.Name(), content)
	}
	if len(m.texts) == 0 {
		return nil, fmt.Errorf("read module: %w", ErrNoModule)
	}
	for _, b := range m.Of("locals") {
		for name, a := range b.Attrs {
			m.locals[name] = a
		}
	}
	return m, nil
}

func isSource(name string) bool {
	return !strings.HasPrefix(name, ".") && (path.Ext(name) == ".tf" || strings.HasSuffix(name, ".tf.json"))
}

// readFile reads a file of bounded size.
func readFile(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	err = errors.Join(err, f.Close())
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", name, maxFile)
	}
	return content, err
}

// parse adds the blocks of a file.
func (m *Module) parse(name string, content []byte) {
	m.texts[name] = content
	if tooDeep(content) {
		m.reject(hcl.Range{Filename: name, Start: hcl.InitialPos}, "it is nested too deeply", "")
		return
	}
	var blocks []*Block
	var diags hcl.Diagnostics
	if path.Ext(name) == ".json" {
		file, d := json.Parse(content, name)
		if diags = d; file != nil && !d.HasErrors() {
			_, blocks, d = fromJSON("", file.Body)
			diags = append(diags, d...)
		}
	} else {
		file, d := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
		diags = d
		if body, ok := file.Body.(*hclsyntax.Body); ok {
			_, blocks = natively(body)
		}
	}
	m.blocks = append(m.blocks, blocks...)
	for _, d := range diags {
		if d.Severity == hcl.DiagError && d.Subject != nil {
			m.reject(*d.Subject, d.Summary, d.Detail)
		}
	}
}

// tooDeep keeps the parsers, which descend without bound, from an end of the process:
// it bounds brackets, signs in a row, and all conditions of a file.
func tooDeep(content []byte) bool {
	depth, signs, conditions := 0, 0, bytes.Count(content, []byte("?"))+bytes.Count(content, []byte("%{"))
	for _, c := range content {
		switch c {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth = max(0, depth-1)
		}
		switch c {
		case '!', '-':
			signs++
		case ' ', '\t', '\n', '\r':
		default:
			signs = 0
		}
		if depth > maxDepth || signs > maxSigns {
			return true
		}
	}
	return conditions > maxConditions
}

func (m *Module) reject(at hcl.Range, what, detail string) {
	m.problems = append(m.problems, Problem{at, what, strings.TrimSuffix(strings.Join(strings.Fields(detail), " "), ".")})
}

// Problems gives what cannot be parsed, in the order of file.
func (m *Module) Problems() []Problem { return slices.Clone(m.problems) }

// Names lists the files of the module that hold configuration, in their order.
func (m *Module) Names() []string { return slices.Sorted(maps.Keys(m.texts)) }

// File reads any file of the module, of at most 4 MiB, by its path.
func (m *Module) File(name string) ([]byte, error) {
	if content, ok := m.texts[name]; ok {
		return content, nil
	}
	return readFile(m.files, name)
}

// Local gives a local value; one that is not there is the zero Attr.
func (m *Module) Local(name string) Attr { return m.locals[name] }

// Of gives the top blocks of these kinds, in the order of file and place.
func (m *Module) Of(kinds ...string) (out []*Block) {
	for _, b := range m.blocks {
		if slices.Contains(kinds, b.Kind) {
			out = append(out, b)
		}
	}
	return out
}

// Source gives the text of an expression as it is written; of JSON, where expressions
// are texts, what the text says.
func (m *Module) Source(a Attr) string {
	if s, ok := Text(a.Expr); ok && strings.HasSuffix(a.All.Filename, ".json") {
		return s
	}
	return m.written(a)
}

func (m *Module) written(a Attr) string {
	if !a.All.CanSliceBytes(m.texts[a.All.Filename]) {
		return ""
	}
	return string(a.All.SliceBytes(m.texts[a.All.Filename]))
}
