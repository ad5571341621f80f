package lists

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"patchbay/tasks"
)

// LeafKind tells what a [Leaf] stands for.
type LeafKind byte

// The kinds of a leaf.
const (
	Plain LeafKind = iota
	// Null is a value that is not set.
	Null
	// Unknown is a value that only applying tells.
	Unknown
	// Hidden is a sensitive value; its text is <sensitive>.
	Hidden
	// NoElements is a list or set without values.
	NoElements
)

// Leaf is one end of an object's values: a text that may be shown.
type Leaf struct {
	Text string
	Kind LeafKind
}

// node is one value of an object: a leaf, a list or attributes.
type node struct {
	leaf  Leaf
	items map[int]*node
	attrs map[string]*node
}

// grow makes the tree of leaves by path, such as pool[0].name or tags["a b"].
func grow(leaves map[string]Leaf) *node {
	root := &node{}
	for path, leaf := range leaves {
		n := root
		for path != "" {
			var s Step
			s, path = Cut(path)
			n = n.child(s)
		}
		n.leaf = leaf
	}
	return root
}

// Step is one part of a path: a name, or an index when Indexed.
type Step struct {
	Name    string
	Index   int
	Indexed bool
}

// Cut takes the first step off a path. What is no step is taken for a name.
func Cut(path string) (s Step, rest string) {
	path = strings.TrimPrefix(path, ".")
	if !strings.HasPrefix(path, "[") {
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		return Step{Name: path[:end]}, path[end:]
	}
	inner := path[1:]
	if q, err := strconv.QuotedPrefix(inner); err == nil && strings.HasPrefix(inner[len(q):], "]") {
		name, _ := strconv.Unquote(q) // a quoted prefix always unquotes
		return Step{Name: name}, inner[len(q)+1:]
	}
	digits, rest, found := strings.Cut(inner, "]")
	if n, err := strconv.Atoi(digits); found && err == nil {
		return Step{Index: n, Indexed: true}, rest
	}
	return Step{Name: path}, ""
}

func (n *node) child(s Step) *node {
	if s.Indexed {
		if n.items == nil {
			n.items = map[int]*node{}
		}
		if n.items[s.Index] == nil {
			n.items[s.Index] = &node{}
		}
		return n.items[s.Index]
	}
	if n.attrs == nil {
		n.attrs = map[string]*node{}
	}
	if n.attrs[s.Name] == nil {
		n.attrs[s.Name] = &node{}
	}
	return n.attrs[s.Name]
}

// list tells whether the value is a list or a set.
func (n *node) list() bool { return n != nil && (n.items != nil || n.leaf.Kind == NoElements) }

// open tells whether only applying tells the value.
func (n *node) open() bool { return n != nil && n.leaf.Kind == Unknown }

func (n *node) attr(name string) *node {
	if n == nil {
		return nil
	}
	return n.attrs[name]
}

func (n *node) names() []string {
	if n == nil {
		return nil
	}
	return slices.Collect(maps.Keys(n.attrs))
}

// elements lists the values of a list in order.
func (n *node) elements() (out []*node) {
	if n == nil {
		return nil
	}
	for _, i := range slices.Sorted(maps.Keys(n.items)) {
		out = append(out, n.items[i])
	}
	return out
}

// nested tells whether a value has a list somewhere below it.
func (n *node) nested() bool {
	if n.list() {
		return true
	}
	for _, a := range n.attrs {
		if a.nested() {
			return true
		}
	}
	return false
}

// element gives a value with all that is known of it.
func (n *node) element() tasks.Element {
	out := tasks.Element{}
	n.fill(out, "")
	return out
}

func (n *node) fill(out tasks.Element, path string) {
	for name, a := range n.attrs {
		a.fill(out, attribute(path, name))
	}
	for i, item := range n.items {
		item.fill(out, path+"["+strconv.Itoa(i)+"]")
	}
	if n.attrs == nil && n.items == nil && n.leaf.Kind != Null && n.leaf.Kind != Unknown && n.leaf.Kind != NoElements {
		out[path] = n.leaf.Text
	}
}

// attribute puts a name behind a path as a plan writes it.
func attribute(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
