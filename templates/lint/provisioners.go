package lint

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"patchbay/templates/source"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// run is a provisioner that runs programs.
type run struct {
	*source.Block
	of *source.Block
	// where names it in findings.
	where string
	// text is all that is known of what it runs: the words of its attributes and the
	// scripts of the module that they name.
	text string
	// commands are the expressions that become a command line, shell those of them
	// that a shell reads.
	commands, shell []source.Attr
	settings        []source.Attr
}

// provisioners judges what runs programs: what could hang, leak or be taken over.
func (l *linter) provisioners() {
	for _, b := range l.Of("resource") {
		for _, p := range b.Inner("provisioner") {
			switch p.Label(0) {
			case "local-exec", "remote-exec":
				l.provisioner(l.newRun(b, p))
			}
		}
	}
}

func (l *linter) newRun(of, p *source.Block) run {
	r := run{Block: p, of: of, where: "provisioner " + p.Label(0) + " of " + of.Address()}
	interpreter, own := p.Attrs["interpreter"]
	for _, name := range []string{"command", "inline", "script", "scripts", "interpreter"} {
		if a, ok := p.Attrs[name]; ok {
			r.commands = append(r.commands, a)
		}
	}
	if command, ok := p.Attrs["command"]; ok && (!own || takesShellText(interpreter.Expr)) {
		r.shell = append(r.shell, command)
	}
	if inline, ok := p.Attrs["inline"]; ok {
		r.shell = append(r.shell, inline)
	}
	if environment, ok := p.Attrs["environment"]; ok {
		r.settings = append(r.settings, environment)
	}
	r.text = l.said(r)
	return r
}

// takesShellText tells whether an interpreter runs the text of command, as sh -c does.
func takesShellText(e hclsyntax.Expression) bool {
	for word := range strings.Lines(source.Words(e)) {
		if w := strings.TrimSpace(word); w == "-c" || w == "-Command" || w == "-ec" {
			return true
		}
	}
	return false
}

// said collects what a run does, as far as the module's files tell it.
func (l *linter) said(r run) string {
	var b strings.Builder
	for _, a := range append(r.commands, r.settings...) {
		l.follow(a.Expr, map[string]bool{}, func(e hclsyntax.Expression) {
			b.WriteString(source.Words(e))
			b.WriteString(names(e))
			for _, script := range l.scripts(e) {
				b.Write(script)
				b.WriteByte('\n')
			}
		})
	}
	return b.String()
}

// names gives the names that an expression refers to and the keys of its objects.
func names(e hclsyntax.Expression) string {
	var b strings.Builder
	for _, t := range e.Variables() {
		for _, step := range t {
			if a, ok := step.(hcl.TraverseAttr); ok {
				b.WriteString(a.Name + "\n")
			}
		}
	}
	source.Visit(e, func(n hclsyntax.Node) {
		if o, ok := n.(*hclsyntax.ObjectConsExpr); ok {
			for _, item := range o.Items {
				b.WriteString(hcl.ExprAsKeyword(item.KeyExpr) + "\n")
			}
		}
	})
	return b.String()
}

// scripts reads the module's files that an expression names as "${path.module}/…".
func (l *linter) scripts(e hclsyntax.Expression) (out [][]byte) {
	source.Visit(e, func(n hclsyntax.Node) {
		t, ok := n.(*hclsyntax.TemplateExpr)
		if !ok || len(t.Parts) != 2 {
			return
		}
		at, ok := t.Parts[0].(*hclsyntax.ScopeTraversalExpr)
		rest, literal := source.Text(t.Parts[1])
		if !ok || !literal || at.Traversal.RootName() != "path" {
			return
		}
		name := path.Clean(strings.TrimPrefix(rest, "/"))
		if !fs.ValidPath(name) {
			return
		}
		if content, err := l.File(name); err == nil { // else Terraform tells that it is missing
			out = append(out, content)
		}
	})
	return out
}

// follow gives an expression and those of the locals that it refers to.
func (l *linter) follow(e hclsyntax.Expression, seen map[string]bool, f func(hclsyntax.Expression)) {
	if e == nil {
		return
	}
	f(e)
	for _, t := range e.Variables() {
		name, ok := second(t)
		if t.RootName() != "local" || !ok || seen[name] {
			continue
		}
		seen[name] = true
		l.follow(l.Local(name).Expr, seen, f)
	}
}

// fromConsul tells whether a value of an instance may reach an expression; a digest or
// a number of them has none of it. each and self are those of the resource, whose own
// arguments are followed; each.key, which is one short name, counts where keys does.
func (l *linter) fromConsul(e hclsyntax.Expression, of *source.Block, keys bool) bool {
	t := trace{linter: l, of: of, keys: keys, seen: map[string]bool{}}
	return t.reaches(e)
}

// trace follows references to where their values come from.
type trace struct {
	*linter
	of   *source.Block
	keys bool
	seen map[string]bool
}

func (t *trace) reaches(e hclsyntax.Expression) bool {
	return e != nil && slices.ContainsFunc(undigested(e), t.step)
}

func (t *trace) step(r hcl.Traversal) bool {
	name, _ := second(r)
	key := r.RootName() + "." + name
	switch {
	case key == "var."+services, key == "var.consul_kv", key == "var.catalog_services":
		return true
	case key == "each.key" && !t.keys:
		return false
	case r.RootName() == "local":
		return t.once(key, t.Local(name).Expr)
	case r.RootName() == "self", r.RootName() == "each":
		return slices.ContainsFunc([]string{"for_each", "input", "triggers", "triggers_replace"}, func(own string) bool {
			return t.once("own "+own, t.of.Attrs[own].Expr)
		})
	}
	return false
}

func (t *trace) once(what string, e hclsyntax.Expression) bool {
	if t.seen[what] {
		return false
	}
	t.seen[what] = true
	return t.reaches(e)
}

// digests are functions whose result is short and plain whatever goes in.
var digests = map[string]bool{"length": true, "sha1": true, "sha256": true, "sha512": true, "md5": true, "filesha256": true, "base64sha256": true,
	"can": true, "contains": true, "alltrue": true, "anytrue": true}

// undigested gives the references in an expression but those in a digest.
func undigested(e hclsyntax.Expression) []hcl.Traversal {
	w := &references{}
	_ = hclsyntax.Walk(e, w)
	return w.found
}

type references struct {
	found []hcl.Traversal
	depth int
}

func (w *references) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch n := n.(type) {
	case *hclsyntax.FunctionCallExpr:
		if digests[n.Name] {
			w.depth++
		}
	case *hclsyntax.ScopeTraversalExpr:
		if w.depth == 0 {
			w.found = append(w.found, n.Traversal)
		}
	}
	return nil
}

func (w *references) Exit(n hclsyntax.Node) hcl.Diagnostics {
	if c, ok := n.(*hclsyntax.FunctionCallExpr); ok && digests[c.Name] {
		w.depth--
	}
	return nil
}

func second(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	a, ok := t[1].(hcl.TraverseAttr)
	return a.Name, ok
}

var (
	bounded  = regexp.MustCompile(`(?i)timeout|deadline|--max-time`)
	asksSudo = regexp.MustCompile(`(?m)(^|[\s;&|(])sudo\s+([^-\s]|-[^n\s])`)
	asksSSH  = regexp.MustCompile(`(?m)(^|[\s;&|(])(ssh|scp|sftp)\s`)
	noBatch  = regexp.MustCompile(`(?i)BatchMode[= ]yes`)
	asksRead = regexp.MustCompile(`(?m)(^|[;&|(]\s*)read\s+(-[a-z]+\s+)*[A-Za-z_-]`)
	notSh    = regexp.MustCompile(`(?m)^(/\S*/)?(bash|zsh|ksh|python[0-9.]*|perl|ruby|pwsh|powershell)$`)
	secret   = regexp.MustCompile(`(?i)(passw|secret|token|api_?key|private_?key|credential)`)
)
