package e2e

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patchbay/e2e/internal/rig"
)

// goPackage is what go list tells of a package of the product.
type goPackage struct {
	ImportPath, Dir string
	Imports         []string
	GoFiles         []string
}

func goPackages(t *testing.T) (out []goPackage) {
	t.Helper()
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...")
	cmd.Dir = root
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	if len(out) < 5 {
		t.Fatalf("go list found %d packages only", len(out))
	}
	return out
}

// middle are the pure packages.
var middle = []string{"patchbay/tasks", "patchbay/tasks/catalog", "patchbay/tasks/diff", "patchbay/tasks/diff/lists", "patchbay/tasks/diff/reason", "patchbay/tasks/diff/text", "patchbay/tasks/rollout", "patchbay/templates", "patchbay/templates/lint", "patchbay/templates/source", "patchbay/templates/trial", "patchbay/xds", "patchbay/xds/chain", "patchbay/xds/mesh"}

// worldly are packages that reach the world; net/netip and net/url do not.
var worldly = []string{"os", "os/exec", "os/signal", "syscall", "net", "net/http", "log", "log/slog", "github.com/hashicorp/go-hclog"}

func below(path, parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != "patchbay"
}

// importRules say which direct imports a package may not have, and why.
var importRules = map[string]func(from, to string) bool{
	"tasks/catalog imports the standard library only": func(from, to string) bool {
		return from == "patchbay/tasks/catalog" && !standard(to)
	},
	"tasks imports the standard library, tasks/catalog and go-cty only": func(from, to string) bool {
		return from == "patchbay/tasks" && !standard(to) && to != "patchbay/tasks/catalog" && !below(to, "github.com/zclconf/go-cty")
	},
	"tasks/rollout imports the standard library and tasks/catalog only": func(from, to string) bool {
		return from == "patchbay/tasks/rollout" && !standard(to) && to != "patchbay/tasks/catalog"
	},
	"tasks/diff imports tasks, the standard library and go-cty only": func(from, to string) bool {
		return below(from, "patchbay/tasks/diff") && !standard(to) && !below(to, "patchbay/tasks") && !below(to, "github.com/zclconf/go-cty")
	},
	"tasks/diff/lists imports the standard library and tasks only": func(from, to string) bool {
		return from == "patchbay/tasks/diff/lists" && !standard(to) && to != "patchbay/tasks"
	},
	"templates does not import xds": func(from, to string) bool {
		return below(from, "patchbay/templates") && below(to, "patchbay/xds")
	},
	"xds does not import templates": func(from, to string) bool {
		return below(from, "patchbay/xds") && below(to, "patchbay/templates")
	},
	"only the agent and the command import the agent": func(from, to string) bool {
		return !below(from, "patchbay/agent") && !below(from, "patchbay/cmd") && below(to, "patchbay/agent")
	},
	"nobody imports the command": func(_, to string) bool { return below(to, "patchbay/cmd") },
	"the pure middle reaches neither disk, network nor log": func(from, to string) bool {
		return slices.Contains(middle, from) && slices.Contains(worldly, to)
	},
	"the adapters import neither each other nor the agent; filter is pure": func(from, to string) bool {
		return below(from, "patchbay/agent/internal") && to != "patchbay/agent/internal/filter" &&
			(to == "patchbay/agent" || below(to, "patchbay/agent/internal") && !below(to, from))
	},
	"e2e imports no package of the product": func(from, to string) bool {
		return below(from, "patchbay/e2e") && below(to, "patchbay") && !below(to, "patchbay/e2e")
	},
	"nobody imports e2e": func(from, to string) bool {
		return !below(from, "patchbay/e2e") && below(to, "patchbay/e2e")
	},
}

func TestImportsFlowOneWay(t *testing.T) {
	for _, p := range goPackages(t) {
		for _, to := range p.Imports {
			for rule, broken := range importRules {
				if broken(p.ImportPath, to) {
					t.Errorf("%s imports %s: %s", p.ImportPath, to, rule)
				}
			}
		}
	}
}

// clocks are the functions of package time that read or wait for the clock.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

func TestTheMiddleHasNoClock(t *testing.T) {
	for _, p := range goPackages(t) {
		if !slices.Contains(middle, p.ImportPath) {
			continue
		}
		for name, file := range parse(t, p) {
			ast.Inspect(file, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, s.Sel.Name) {
						t.Errorf("%s/%s uses time.%s", p.ImportPath, name, s.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

func parse(t *testing.T, p goPackage) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = f
	}
	return files
}

func TestEveryPackageTellsItsDesign(t *testing.T) {
	for _, p := range goPackages(t) {
		doc, ok := parse(t, p)["doc.go"]
		if !ok || doc.Doc == nil {
			t.Errorf("%s has no package comment in doc.go", p.ImportPath)
			continue
		}
		text := doc.Doc.Text()
		if n := strings.Count(text, "\n"); n < 5 || n > 40 {
			t.Errorf("%s: the package comment has %d lines, want 5 to 40", p.ImportPath, n)
		}
		if !strings.Contains(text, "\n# Design\n") {
			t.Errorf("%s: the package comment has no # Design", p.ImportPath)
		}
	}
}

func TestEveryExportedNameHasAComment(t *testing.T) {
	for _, p := range goPackages(t) {
		for name, file := range parse(t, p) {
			for _, missing := range undocumented(file) {
				t.Errorf("%s/%s: %s has no comment", p.ImportPath, name, missing)
			}
		}
	}
}

// undocumented lists the exported names of a file that have no comment, neither
// their own nor their group's.
func undocumented(file *ast.File) (out []string) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d.Recv) {
				out = append(out, d.Name.Name)
			}
		case *ast.GenDecl:
			about := d.Doc.Text()
			for _, s := range d.Specs {
				name, own := specName(s)
				if own != "" {
					about = own
				}
				// A comment may speak of the names below it too, by name.
				if ast.IsExported(name) && own == "" && d.Doc == nil && !strings.Contains(about, name) {
					out = append(out, name)
				}
			}
		}
	}
	return out
}

func specName(s ast.Spec) (name, comment string) {
	switch s := s.(type) {
	case *ast.TypeSpec:
		return s.Name.Name, s.Doc.Text() + s.Comment.Text()
	case *ast.ValueSpec:
		return s.Names[0].Name, s.Doc.Text() + s.Comment.Text()
	}
	return "", ""
}

// exportedReceiver tells whether a function has no receiver or one of an exported
// type: methods of others often only satisfy an interface that tells of them.
func exportedReceiver(list *ast.FieldList) bool {
	if list == nil {
		return true
	}
	x := list.List[0].Type
	if star, ok := x.(*ast.StarExpr); ok {
		x = star.X
	}
	if generic, ok := x.(*ast.IndexExpr); ok {
		x = generic.X
	}
	id, ok := x.(*ast.Ident)
	return !ok || id.IsExported()
}
