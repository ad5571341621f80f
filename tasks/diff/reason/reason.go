package reason

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
	"patchbay/tasks/diff/text"
)

// maxOutput bounds what is told of a check's output, in characters.
const maxOutput = 100

// Given is what reasons are found from.
type Given struct {
	Task tasks.Task
	// Applied is the input that reached the devices last; nil when nothing is known.
	Applied *tasks.AppliedInput
	Wanted  tasks.Input
	// Views are those of the task's snapshot.
	Views []*catalog.View
	Seen  Seen
	// Destroyed says that what the task made is destroyed, as was asked for.
	Destroyed bool
}

func (g Given) before() []catalog.Member {
	if g.Applied == nil {
		return nil
	}
	return g.Applied.Members
}

func (g Given) after() []catalog.Member {
	if g.Destroyed {
		return nil
	}
	return g.Wanted.Members()
}

// Reasons finds out why members come, go and change.
type Reasons struct {
	Given
	was, is  map[string]catalog.Member
	now      map[string]catalog.Instance
	departed map[string]catalog.DepartureCause
	traits   map[string]tasks.Trait
	filtered bool
	selects  func(service string) bool
	// wasOf and isOf list the members of each service.
	wasOf, isOf map[string][]catalog.Member
	// wasAt and isAt find members by every way in which a device may write them; nil
	// before the first such text.
	wasAt, isAt map[string][]catalog.Member
}

// New makes the reasons of one plan.
func New(g Given) *Reasons {
	r := &Reasons{Given: g, traits: g.Wanted.Traits(), was: map[string]catalog.Member{}, is: map[string]catalog.Member{},
		now: map[string]catalog.Instance{}, departed: map[string]catalog.DepartureCause{},
		wasOf: map[string][]catalog.Member{}, isOf: map[string][]catalog.Member{}}
	for _, m := range g.before() {
		r.was[m.Key] = m
		r.wasOf[m.Service] = append(r.wasOf[m.Service], m)
	}
	for _, m := range g.after() {
		r.is[m.Key] = m
		r.isOf[m.Service] = append(r.isOf[m.Service], m)
	}
	for _, v := range g.Views {
		if v.Query.Kind != catalog.ServiceHealth {
			continue
		}
		for _, i := range v.Instances {
			r.now[i.Key()] = i
		}
		for _, d := range v.Departures {
			r.departed[d.Member.Key] = d.Cause
		}
	}
	s, given := g.Task.InputServices()
	r.selects = func(service string) bool { return given && s.Selects(service) }
	for _, f := range g.Task.Filters() {
		r.filtered = r.filtered || f != ""
	}
	return r
}

// index makes members to be found by their texts.
func (r *Reasons) index() {
	if r.wasAt != nil {
		return
	}
	r.wasAt, r.isAt = make(map[string][]catalog.Member, 5*len(r.was)), make(map[string][]catalog.Member, 5*len(r.is))
	for _, m := range r.before() {
		note(r.wasAt, m)
	}
	for _, m := range r.after() {
		note(r.isAt, m)
	}
}

func note(at map[string][]catalog.Member, m catalog.Member) {
	for _, as := range []string{m.Key, Endpoint(m), m.Address, cidr(m.Address), m.Address + "." + strconv.Itoa(m.Port)} {
		if as != "" {
			at[as] = append(at[as], m)
		}
	}
}

// Endpoint is where a member answers; its address alone when it has no port.
func Endpoint(m catalog.Member) string {
	if m.Port == 0 {
		return m.Address
	}
	return HostPort(m.Address, strconv.Itoa(m.Port))
}

// HostPort joins an address and a port as every device writes them.
func HostPort(host, port string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]:" + port
	}
	return host + ":" + port
}

// cidr is an address as a list of networks has it.
func cidr(address string) string {
	if strings.Contains(address, ":") {
		return address + "/128"
	}
	return address + "/32"
}

// Removed tells why an item is gone, as far as it is a member; else nil.
func (r *Reasons) Removed(item string) *tasks.Why {
	r.index()
	for _, m := range r.wasAt[item] {
		if now, still := r.is[m.Key]; !still || Endpoint(now) != Endpoint(m) {
			return r.Left(m)
		}
	}
	return nil
}

// Added tells why an item is new, as far as it is a member; else nil.
func (r *Reasons) Added(item string) *tasks.Why {
	r.index()
	for _, m := range r.isAt[item] {
		if was, before := r.was[m.Key]; !before || Endpoint(was) != Endpoint(m) {
			return r.Came(m)
		}
	}
	return nil
}

// Left tells why a member goes.
func (r *Reasons) Left(m catalog.Member) *tasks.Why {
	w := tasks.Why{Service: m.Service, Instance: m.Key}
	s, seen := r.Seen.of(m.Service, m.Key)
	i, has := r.now[m.Key]
	switch {
	case r.Destroyed:
		w.Kind = tasks.WhyDestroyed
	case r.is[m.Key] != (catalog.Member{}):
		w.Kind, w.To = tasks.WhyMoved, Endpoint(r.is[m.Key])
	case !r.selects(m.Service):
		w.Kind = tasks.WhySelection
	case !has:
		r.gone(&w, m, s, seen && s.gone)
	case i.Status() != catalog.Passing:
		r.ill(&w, i)
	default:
		w.Kind = tasks.WhyFilter
	}
	return tidy(w)
}

// gone tells how an instance left Consul.
func (r *Reasons) gone(w *tasks.Why, m catalog.Member, s sighting, seen bool) {
	w.Kind = tasks.WhyGone
	cause := r.departed[m.Key]
	if seen {
		w.Since = s.since
		if s.cause != "" {
			cause = s.cause
		}
	}
	switch cause {
	case catalog.Deregistered:
		w.Kind = tasks.WhyDeregistered
	case catalog.NodeGone:
		w.Kind, w.Node = tasks.WhyNodeGone, m.Node
	}
}

// ill tells what keeps an instance from passing.
func (r *Reasons) ill(w *tasks.Why, i catalog.Instance) {
	is := stateOf(i)
	w.Kind, w.Status, w.Check, w.Output = tasks.WhyCheck, is.status, is.check, is.output
	if is.status == catalog.Maintenance {
		w.Kind = tasks.WhyMaintenance
	}
	if s, ok := r.Seen.of(i.Name, i.Key()); ok && s.state.same(is) {
		w.Since, w.Earlier = s.since, s.earlier
	}
}

// Came tells why a member is new; nil when nothing is known of it.
func (r *Reasons) Came(m catalog.Member) *tasks.Why {
	if r.Applied == nil || r.Destroyed {
		return nil // all of it is new
	}
	w := tasks.Why{Service: m.Service, Instance: m.Key}
	s, seen := r.Seen.of(m.Service, m.Key)
	switch was, before := r.was[m.Key]; {
	case before:
		w.Kind, w.To = tasks.WhyMoved, Endpoint(was)
	case !seen || s.gone:
		return nil
	case s.state.status == catalog.Passing && s.why.status != "" && (s.known || !s.fell.IsZero()):
		w.Kind, w.Since, w.Check, w.Status = tasks.WhyPasses, s.since, s.why.check, s.why.status
		if !s.fell.IsZero() {
			w.After = s.since.Sub(s.fell)
		}
	case r.filtered && s.since.Before(r.Applied.At):
		w.Kind = tasks.WhyFilter
	case s.known:
		w.Kind = tasks.WhyAway
	default:
		w.Kind, w.Since = tasks.WhyRegistered, s.first
	}
	return tidy(w)
}

// Changed tells how a member that stays is treated now, and why; "" when as before
// or when it is not known how it was.
func (r *Reasons) Changed(m catalog.Member, weights bool) (detail string, why *tasks.Why) {
	if r.Applied == nil || r.Applied.Traits == nil || r.Destroyed {
		return "", nil
	}
	a, b := trait(r.Applied.Traits, m.Key), trait(r.traits, m.Key)
	switch {
	case a.Status != b.Status:
		detail = a.Status + " → " + b.Status
		if i, ok := r.now[m.Key]; ok && b.Status != catalog.Passing {
			w := tasks.Why{Service: m.Service, Instance: m.Key}
			r.ill(&w, i)
			why = tidy(w)
		}
	case weights && a.Weight != b.Weight:
		detail = fmt.Sprintf("weight %d → %d", a.Weight, b.Weight)
	}
	return detail, why
}

func trait(traits map[string]tasks.Trait, key string) tasks.Trait {
	if t, ok := traits[key]; ok {
		return t
	}
	return tasks.UsualTrait()
}

// tidy makes all texts of a reason fit to be shown.
func tidy(w tasks.Why) *tasks.Why {
	for _, t := range []*string{&w.Service, &w.Instance, &w.Node, &w.Check, &w.Status, &w.To} {
		*t = text.Clean(*t, text.MaxName)
	}
	line, _, _ := strings.Cut(strings.TrimLeft(w.Output, " \t\r\n"), "\n")
	w.Output = text.Clean(strings.TrimRight(line, " \t\r"), maxOutput)
	return &w
}

// Had tells whether a member reached the devices before.
func (r *Reasons) Had(m catalog.Member) bool {
	_, had := r.was[m.Key]
	return had
}

// Services are those that the module had or has, in order.
func (r *Reasons) Services() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(r.wasOf)), maps.Keys(r.isOf))
	slices.Sort(names)
	return slices.Compact(names)
}

// Members gives the members of a service as items, each with one of its members.
func (r *Reasons) Members(service string, at func(catalog.Member) string) (was, is map[string]catalog.Member) {
	pick := func(list []catalog.Member) map[string]catalog.Member {
		out := make(map[string]catalog.Member, len(list))
		for _, m := range list {
			if m.Address == "" {
				continue
			}
			item := at(m)
			if old, taken := out[item]; !taken || m.Key < old.Key {
				out[item] = m
			}
		}
		return out
	}
	return pick(r.wasOf[service]), pick(r.isOf[service])
}
