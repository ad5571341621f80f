package tasks

import (
	"fmt"
	"slices"
	"strings"

	"patchbay/tasks/catalog"
)

// Action is what a plan does with one object.
type Action string

// The actions of Terraform's plan. Replace is delete and create in either order.
const (
	NoOp    Action = "no-op"
	Create  Action = "create"
	Read    Action = "read"
	Update  Action = "update"
	Delete  Action = "delete"
	Replace Action = "replace"
	Forget  Action = "forget"
)

// Field is one attribute of an object that a plan changes. Values are for
// reading: sensitive ones are <sensitive>, unknown ones (known after apply).
type Field struct {
	Path   string `json:"path"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Element is one value of a list: its attributes by path, of a plain value one
// without name. Sensitive ones are <sensitive>.
type Element map[string]string

// List is an attribute that holds several values, as a set or as a list of which the
// order does not matter here, and which of them come and go.
type List struct {
	Path string `json:"path"`
	// Object and Unit are set where the attribute holds a whole configuration: how
	// the device calls the part of it, such as pool /t/a/web, and what it holds.
	Object string `json:"object,omitempty"`
	Unit   string `json:"unit,omitempty"`
	// Before and After count all values.
	Before  int       `json:"before"`
	After   int       `json:"after"`
	Added   []Element `json:"added,omitempty"`
	Removed []Element `json:"removed,omitempty"`
}

// Change is what a plan does with one object.
type Change struct {
	// Address is Terraform's, such as module.web.terraform_data.file["api"].
	Address  string `json:"address"`
	Type     string `json:"type"`
	Provider string `json:"provider,omitempty"`
	Action   Action `json:"action"`
	// Fields are the attributes that differ, in the order of path.
	Fields []Field `json:"fields,omitempty"`
	// Names are attributes by which the device or its owner knows the object, such as
	// name and pool, whether they change or not.
	Names map[string]string `json:"names,omitempty"`
	// Lists are the lists whose values differ; a recorded plan has none, as its run
	// tells them in the device's words.
	Lists []List `json:"lists,omitempty"`
}

// Plan is what Terraform would do. Unchanged objects are left out.
type Plan struct {
	Changes []Change `json:"changes"`
	// Outputs tells whether root outputs would change.
	Outputs bool `json:"outputs,omitempty"`
	// Digest identifies the changes with all their values, normalised: two
	// plans of one input over one state have the same digest.
	Digest catalog.Digest `json:"digest"`
	// Serial and Lineage are of the state that was planned against.
	Serial  uint64 `json:"serial"`
	Lineage string `json:"lineage,omitempty"`
}

// Empty tells whether applying would change nothing.
func (p Plan) Empty() bool { return len(p.Changes) == 0 && !p.Outputs }

// Count tells how many objects have the action.
func (p Plan) Count(a Action) (n int) {
	for _, c := range p.Changes {
		if c.Action == a {
			n++
		}
	}
	return n
}

// replaceable is the built-in resource whose replacement runs a provisioner
// again and destroys nothing on a device by itself.
const replaceable = "terraform_data"

// Destroys counts the objects that would cease to exist, even if only to be made
// anew; a replaced terraform_data is not one.
func (p Plan) Destroys() (n int) {
	for _, c := range p.Changes {
		if c.Action == Delete || c.Action == Replace && c.Type != replaceable {
			n++
		}
	}
	return n
}

// MaxDetailed is how many changes of a recorded plan keep their fields.
const MaxDetailed = 200

// Brief gives the plan as a run records it: every change, but the fields of
// [MaxDetailed] only, what ceases to exist before what stays, so that a large plan
// does not slow its recording.
func (p Plan) Brief() Plan {
	p.Changes = slices.Clone(p.Changes)
	for n := range p.Changes {
		p.Changes[n].Lists = nil
	}
	if len(p.Changes) <= MaxDetailed {
		return p
	}
	left := MaxDetailed
	for _, losses := range []bool{true, false} {
		for n := range p.Changes {
			c := &p.Changes[n]
			if (c.Action == Delete || c.Action == Replace) != losses {
				continue
			}
			if left--; left < 0 {
				c.Fields = nil
			}
		}
	}
	return p
}

// Summary tells the plan in Terraform's order, such as "1 to create, 2 to replace".
func (p Plan) Summary() string {
	var parts []string
	for _, a := range []Action{Create, Update, Replace, Delete, Forget, Read} {
		if n := p.Count(a); n > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n, a))
		}
	}
	if len(parts) == 0 && p.Outputs {
		return "only outputs change"
	}
	if len(parts) == 0 {
		return "no change"
	}
	return strings.Join(parts, ", ")
}
