package lint

import (
	"fmt"
	"slices"
	"strings"

	"patchbay/templates/source"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// changing are the functions that give another value each time.
var changing = []string{"timestamp", "plantimestamp", "uuid", "bcrypt"}

// restless judges what makes every plan differ.
func (l *linter) restless() {
	for _, b := range l.Of("resource", "module", "locals", "output") {
		ignored := ignores(b)
		for _, n := range b.Arguments() {
			if ignored(n.Name) {
				continue
			}
			source.Visit(n.Expr, func(node hclsyntax.Node) {
				call, ok := node.(*hclsyntax.FunctionCallExpr)
				if !ok || !slices.Contains(changing, call.Name) {
					return
				}
				l.add(call.NameRange, advice{Error, "never-idempotent", "every run changes something, also when nothing changed in Consul: devices are written for nothing and the guard sees no quiet plan",
					"use the digest of what matters instead, such as sha256(jsonencode(…))"}, "%s uses %s(), which differs at each plan", place(b, n.Name), call.Name)
			})
		}
	}
	for _, b := range l.Of("data") {
		if kind := b.Label(0); kind == "external" || kind == "http" {
			l.add(b.At, advice{Warning, "asks-at-each-plan", "each plan waits for it, and one that fails or answers otherwise fails or changes the run",
				"give the value as a variable of the task, or let the task read it from Consul's KV"}, "data source %s.%s asks the outside at each plan", kind, b.Label(1))
		}
	}
}

func place(b *source.Block, name string) string {
	if b.Kind == "locals" {
		return "local." + name
	}
	return fmt.Sprintf("%s of %s", name, b.Address())
}

// ignores tells which attributes lifecycle { ignore_changes } leaves aside.
func ignores(b *source.Block) func(name string) bool {
	var names []string
	for _, c := range b.Inner("lifecycle") {
		a, ok := c.Attrs["ignore_changes"]
		if !ok {
			continue
		}
		if hcl.ExprAsKeyword(a.Expr) == "all" || strings.TrimSpace(source.Words(a.Expr)) == "all" {
			return func(string) bool { return true }
		}
		for _, t := range a.Expr.Variables() {
			names = append(names, t.RootName())
		}
		names = append(names, strings.Fields(source.Words(a.Expr))...)
	}
	return func(name string) bool { return slices.Contains(names, name) }
}
