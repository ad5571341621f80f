package dynamic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
)

// literals are the texts that stand in a template as such: the first argument of
// each call, and the fields. Only they may be shown.
type literals struct {
	paths  map[string]bool
	fields []string
}

// visit learns what stands in n and puts step at the head of every loop in it: an
// endless loop neither writes nor calls anything where it could be stopped.
func (l *literals) visit(n parse.Node, step parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, each := range n.Nodes {
			l.visit(each, step)
		}
	case *parse.ActionNode:
		l.pipe(n.Pipe)
	case *parse.TemplateNode:
		l.pipe(n.Pipe)
	case *parse.IfNode:
		l.branch(n.BranchNode, step)
	case *parse.WithNode:
		l.branch(n.BranchNode, step)
	case *parse.RangeNode:
		l.branch(n.BranchNode, step)
		n.List.Nodes = append([]parse.Node{step}, n.List.Nodes...)
	}
}

func (l *literals) branch(b parse.BranchNode, step parse.Node) {
	l.pipe(b.Pipe)
	l.visit(b.List, step)
	l.visit(b.ElseList, step)
}

func (l *literals) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, command := range p.Cmds {
		for n, arg := range command.Args {
			switch arg := arg.(type) {
			case *parse.PipeNode:
				l.pipe(arg)
			case *parse.StringNode:
				if id, ok := command.Args[0].(*parse.IdentifierNode); ok && n == 1 && slices.Contains(readers, id.Ident) {
					l.paths[arg.Text] = true
				}
			case *parse.FieldNode, *parse.VariableNode, *parse.ChainNode:
				if text := arg.String(); strings.Contains(text, ".") && len(text) < maxShown && len(l.fields) < 4 {
					l.fields = append(l.fields, text)
				}
			}
		}
	}
}

// maxShown bounds what an error shows of a text, in bytes.
const maxShown = 200

// callError is a call of ours that failed. It shows the call as it stands in the
// template, and never a path that was made of values.
type callError struct {
	call  string
	cause error
}

func (e *callError) Error() string { return "{{ " + e.call + " }}: " + e.cause.Error() }

func (e *callError) Unwrap() error { return e.cause }

// failed tells that function could not read path because of err.
func (l *literals) failed(function, path string, err error) error {
	call := function + " …"
	if l.paths[path] {
		call = function + " " + strconv.Quote(cut(path))
	} else {
		err = hidden(err)
	}
	return &callError{call: call, cause: err}
}

// cut bounds a text and makes it one line that no terminal acts upon.
func cut(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return !strconv.IsPrint(r)
	}), " ")
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
}

// explain makes an error that shows no value: text/template's own quote them, as in
// "range can't iterate over hunter2".
func (l *literals) explain(ctx context.Context, err error) error {
	var failed *callError
	switch {
	case errors.As(err, &failed):
		return failed
	case ctx.Err() != nil:
		return ended(ctx)
	case errors.Is(err, errNoValue) && len(l.fields) > 0:
		return fmt.Errorf("%w: one of %s has no value; look at what the secret holds", errNoValue, strings.Join(l.fields, ", "))
	}
	for _, own := range []error{errNoValue, errOutput, errSteps, errWidth} {
		if errors.Is(err, own) {
			return own
		}
	}
	return fmt.Errorf("the template cannot be executed%s: a field of a value that has none, or a function with an argument of a wrong kind", where(err))
}
