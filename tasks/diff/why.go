package diff

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"patchbay/tasks"
	"patchbay/tasks/catalog"
)

// maxOutput bounds what is told of a check's output, in characters.
const maxOutput = 100

// reasons finds out why members come, go and change.
type reasons struct {
	Given
	was, is  map[string]catalog.Member
	now      map[string]catalog.Instance
	departed map[string]catalog.DepartureCause
	filtered bool
	selects  func(service string) bool
	// wasAt and isAt find members by every way in which a device may write them.
	wasAt, isAt map[string][]catalog.Member
}

func newReasons(g Given) *reasons {
	r := &reasons{Given: g, was: map[string]catalog.Member{}, is: map[string]catalog.Member{},
		now: map[string]catalog.Instance{}, departed: map[string]catalog.DepartureCause{},
		wasAt: map[string][]catalog.Member{}, isAt: map[string][]catalog.Member{}}
	for _, m := range g.before() {
		r.was[m.Key] = m
		note(r.wasAt, m)
	}
	for _, m := range g.after() {
		r.is[m.Key] = m
		note(r.isAt, m)
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

func note(at map[string][]catalog.Member, m catalog.Member) {
	for _, text := range []string{m.Key, endpoint(m), m.Address, cidr(m.Address), m.Address + "." + strconv.Itoa(m.Port)} {
		if text != "" {
			at[text] = append(at[text], m)
		}
	}
}

// endpoint is where a member answers; its address alone when it has no port.
func endpoint(m catalog.Member) string {
	if m.Port == 0 {
		return m.Address
	}
	return hostPort(m.Address, strconv.Itoa(m.Port))
}

func hostPort(host, port string) string {
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

// removed tells why an item is gone, as far as it is a member.
func (r *reasons) removed(item string) *tasks.Why {
	for _, m := range r.wasAt[item] {
		if now, still := r.is[m.Key]; !still || endpoint(now) != endpoint(m) {
			return r.left(m)
		}
	}
	return nil
}

// added tells why an item is new, as far as it is a member.
func (r *reasons) added(item string) *tasks.Why {
	for _, m := range r.isAt[item] {
		if was, before := r.was[m.Key]; !before || endpoint(was) != endpoint(m) {
			return r.came(m)
		}
	}
	return nil
}

func (r *reasons) left(m catalog.Member) *tasks.Why {
	w := tasks.Why{Service: m.Service, Instance: m.Key}
	s, seen := r.Seen.of(m.Service, m.Key)
	i, has := r.now[m.Key]
	switch {
	case r.Destroyed:
		w.Kind = tasks.WhyDestroyed
	case r.is[m.Key] != (catalog.Member{}):
		w.Kind, w.To = tasks.WhyMoved, endpoint(r.is[m.Key])
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
func (r *reasons) gone(w *tasks.Why, m catalog.Member, s sighting, seen bool) {
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
func (r *reasons) ill(w *tasks.Why, i catalog.Instance) {
	is := stateOf(i)
	w.Kind, w.Status, w.Check, w.Output = tasks.WhyCheck, is.status, is.check, is.output
	if is.status == catalog.Maintenance {
		w.Kind = tasks.WhyMaintenance
	}
	if s, ok := r.Seen.of(i.Name, i.Key()); ok && s.state.same(is) {
		w.Since, w.Earlier = s.since, s.earlier
	}
}

func (r *reasons) came(m catalog.Member) *tasks.Why {
	if r.Applied == nil || r.Destroyed {
		return nil // all of it is new
	}
	w := tasks.Why{Service: m.Service, Instance: m.Key}
	s, seen := r.Seen.of(m.Service, m.Key)
	switch was, before := r.was[m.Key]; {
	case before:
		w.Kind, w.To = tasks.WhyMoved, endpoint(was)
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

// changed tells how a member that stays is treated now, and why; "" when as before
// or when it is not known how it was.
func (r *reasons) changed(m catalog.Member, weights bool) (detail string, why *tasks.Why) {
	if r.Applied == nil || r.Applied.Traits == nil || r.Destroyed {
		return "", nil
	}
	a, b := trait(r.Applied.Traits, m.Key), trait(r.traits(), m.Key)
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
	for _, text := range []*string{&w.Service, &w.Instance, &w.Node, &w.Check, &w.Status, &w.To} {
		*text = clean(*text, maxText)
	}
	line, _, _ := strings.Cut(strings.TrimLeft(w.Output, " \t\r\n"), "\n")
	w.Output = clean(strings.TrimRight(line, " \t\r"), maxOutput)
	return &w
}

// maxText bounds a name or value that is told, in characters.
const maxText = 120

// clean escapes what could act on a terminal and bounds the text.
func clean(text string, most int) string {
	if len(text) > 4*most { // more bytes than so many characters have
		text = text[:4*most]
		for n := 0; n < utf8.UTFMax && !utf8.ValidString(text); n++ {
			text = text[:len(text)-1]
		}
		text += "…"
	}
	plain := true
	for _, r := range text {
		plain = plain && r != utf8.RuneError && strconv.IsPrint(r)
	}
	if !plain {
		text = escape(text)
	}
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// escape writes what is not printable as Go does, and leaves quotes alone.
func escape(text string) string {
	var b strings.Builder
	for i, size := 0, 0; i < len(text); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
