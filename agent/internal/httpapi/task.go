package httpapi

import (
	"cmp"
	"patchbay/tasks"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Task is the contract's task object.
type Task struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
	// Module is the source as configured.
	Module    string   `json:"module"`
	Version   string   `json:"version"`
	Providers []string `json:"providers"`
	// Variables are HCL expressions: a string keeps its quotes.
	Variables map[string]string `json:"variables"`
	// Buffer is shown when the task has one of its own or is scheduled.
	Buffer *Buffer `json:"buffer_period,omitempty"`
	// Guard is shown when it is another than the one that tasks inherit.
	Guard       *Guard      `json:"guard,omitempty"`
	ModuleInput ModuleInput `json:"module_input"`
	Condition   Condition   `json:"condition"`
}

// Buffer is how long a run waits for further changes; Min and Max are durations
// as Go writes them ("5s", "1m0s").
type Buffer struct {
	Enabled bool   `json:"enabled"`
	Min     string `json:"min"`
	Max     string `json:"max"`
}

// Guard is what a task may do without asking a person.
type Guard struct {
	// MaxDestroys is the most objects that one plan may destroy.
	MaxDestroys int `json:"max_destroys"`
	// AllowEmpty lets a service lose all of its members at once.
	AllowEmpty bool `json:"allow_empty"`
}

// NewGuard puts a guard on the wire.
func NewGuard(g tasks.Guard) *Guard {
	return &Guard{MaxDestroys: g.MaxDestroys, AllowEmpty: g.AllowEmpty}
}

// Inherited is what tasks take over that set none of their own.
type Inherited struct {
	Buffer tasks.Buffer
	Guard  tasks.Guard
}

// Condition is what starts a run of a task: one kind, or none.
type Condition struct {
	Services        *ServicesCondition `json:"services,omitempty"`
	CatalogServices *CatalogServices   `json:"catalog_services,omitempty"`
	ConsulKV        *KVCondition       `json:"consul_kv,omitempty"`
	Nodes           *NodesCondition    `json:"nodes,omitempty"`
	Schedule        *Schedule          `json:"schedule,omitempty"`
}

// ServicesCondition is a services block of a condition.
type ServicesCondition struct {
	Services
	UseAsModuleInput bool `json:"use_as_module_input"`
}

// CatalogServices watches which services there are.
type CatalogServices struct {
	Regexp           string            `json:"regexp"`
	Datacenter       string            `json:"datacenter"`
	Namespace        string            `json:"namespace"`
	NodeMeta         map[string]string `json:"node_meta"`
	UseAsModuleInput bool              `json:"use_as_module_input"`
}

// KVCondition is a consul_kv block of a condition.
type KVCondition struct {
	ConsulKV
	UseAsModuleInput bool `json:"use_as_module_input"`
}

// NodesCondition is a nodes block of a condition.
type NodesCondition struct {
	Nodes
	UseAsModuleInput bool `json:"use_as_module_input"`
}

// Schedule runs a task by the clock.
type Schedule struct {
	Cron string `json:"cron"`
}

// ModuleInput is what else a module is given, at most one of each kind.
type ModuleInput struct {
	Services *Services `json:"services,omitempty"`
	ConsulKV *ConsulKV `json:"consul_kv,omitempty"`
	Nodes    *Nodes    `json:"nodes,omitempty"`
}

// Services selects instances: by Names, or when these are absent by Regexp.
type Services struct {
	Regexp     *string           `json:"regexp,omitempty"`
	Names      []string          `json:"names,omitempty"`
	Datacenter string            `json:"datacenter"`
	Namespace  string            `json:"namespace"`
	Filter     string            `json:"filter"`
	UserMeta   map[string]string `json:"cts_user_defined_meta"`
	// Others are selections beside it, of service blocks that differ; they have none.
	Others []Services `json:"others,omitempty"`
}

// ConsulKV reads one key, or with Recurse all that begin with Path.
type ConsulKV struct {
	Path       string `json:"path"`
	Recurse    bool   `json:"recurse"`
	Datacenter string `json:"datacenter"`
	Namespace  string `json:"namespace"`
}

// Nodes selects the nodes of a datacenter. Consul-Terraform-Sync has no such kind.
type Nodes struct {
	Regexp     string            `json:"regexp"`
	Datacenter string            `json:"datacenter"`
	NodeMeta   map[string]string `json:"node_meta"`
}

// NewTask puts a task on the wire; inherited is nil when it is not known. A buffer is
// shown when it is the task's own, another than the inherited one, or a scheduled
// task's, a guard when it is another than the inherited one.
// Of several module inputs of one kind the first is shown, the one that fills the
// module's variable.
func NewTask(t tasks.Task, inherited *Inherited) Task {
	out := Task{Name: t.Name, Description: t.Description, Enabled: t.Enabled, Module: cmp.Or(t.WrittenModule, t.Module), Version: t.Version,
		Providers: list(t.Providers), Variables: make(map[string]string, len(t.Variables)),
		Condition: newCondition(t.Condition), ModuleInput: newModuleInput(t.ModuleInputs)}
	for name, value := range t.Variables {
		out.Variables[name] = expression(value)
	}
	if t.OwnBuffer || t.Condition.Schedule != nil || inherited != nil && t.Buffer != inherited.Buffer {
		out.Buffer = newBuffer(t.Buffer)
	}
	if inherited != nil && t.Guard != inherited.Guard {
		out.Guard = NewGuard(t.Guard)
	}
	return out
}

func newBuffer(b tasks.Buffer) *Buffer {
	return &Buffer{Enabled: b.Enabled, Min: b.Min.String(), Max: b.Max.String()}
}

func newCondition(c tasks.Condition) (out Condition) {
	switch use := c.UseAsModuleInput; {
	case c.Services != nil:
		out.Services = &ServicesCondition{newServices(*c.Services), use}
	case c.CatalogServices != nil:
		s := c.CatalogServices
		out.CatalogServices = &CatalogServices{Regexp: s.Regexp, Datacenter: s.Datacenter, Namespace: s.Namespace,
			NodeMeta: meta(s.NodeMeta), UseAsModuleInput: use}
	case c.ConsulKV != nil:
		out.ConsulKV = &KVCondition{ConsulKV(*c.ConsulKV), use}
	case c.Nodes != nil:
		out.Nodes = &NodesCondition{newNodes(*c.Nodes), use}
	case c.Schedule != nil:
		out.Schedule = &Schedule{Cron: c.Schedule.Cron}
	}
	return out
}

func newModuleInput(inputs []tasks.ModuleInput) (out ModuleInput) {
	for _, in := range inputs {
		switch {
		case in.Services != nil && out.Services == nil:
			s := newServices(*in.Services)
			out.Services = &s
		case in.ConsulKV != nil && out.ConsulKV == nil:
			kv := ConsulKV(*in.ConsulKV)
			out.ConsulKV = &kv
		case in.Nodes != nil && out.Nodes == nil:
			n := newNodes(*in.Nodes)
			out.Nodes = &n
		}
	}
	return out
}

func newNodes(n tasks.Nodes) Nodes {
	return Nodes{Regexp: n.Regexp, Datacenter: n.Datacenter, NodeMeta: meta(n.NodeMeta)}
}

// meta makes nil an empty map, which JSON shows as {}.
func meta(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func newServices(s tasks.Services) Services {
	out := Services{Names: s.Names, Datacenter: s.Datacenter, Namespace: s.Namespace, Filter: s.Filter, UserMeta: meta(s.UserMeta)}
	if len(s.Names) == 0 {
		out.Regexp = &s.Regexp
	}
	for _, other := range s.Others {
		out.Others = append(out.Others, newServices(other))
	}
	return out
}

// expression writes a value as an HCL expression. A value that has no such form
// (unknown, or of a type of its own) is null, one marked as sensitive is hidden;
// configuration makes neither, but hclwrite would panic on them.
func expression(v cty.Value) string {
	switch {
	case v == cty.NilVal:
		return "null"
	case v.ContainsMarked():
		return `"<sensitive>"`
	case !v.IsWhollyKnown() || v.Type().IsCapsuleType():
		return "null"
	}
	return string(hclwrite.TokensForValue(v).Bytes())
}
