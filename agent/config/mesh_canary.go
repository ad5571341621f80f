package config

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"patchbay/tasks/catalog"
	"patchbay/tasks/rollout"
	"patchbay/xds/mesh"
)

// Canary is a service whose traffic moves to another version by steps.
type Canary struct {
	rollout.Plan
	// Prometheus is the URL of the server that answers the queries of the metrics; ""
	// without metrics.
	Prometheus string
	// Position is the file, line and column of the block.
	Position string
}

// canary decodes one canary block. The routes are known already.
func (d *decoder) canary(b labelled) {
	p := d.place(b.pos, fmt.Sprintf("canary %q", b.label))
	c := Canary{Plan: rollout.DefaultPlan(), Position: p.declared}
	c.Service = b.label
	p.fields(b.body, p.canaryFields(&c))
	p.checkCanary(&c)
	d.cfg.Canaries = append(d.cfg.Canaries, c)
}

func (p place) canaryFields(c *Canary) map[string]setter {
	return map[string]setter{
		"stable": p.str(&c.Stable.Name), "candidate": p.str(&c.Candidate.Name), "steps": p.steps(c), "step": p.stepBlocks(c),
		"interval": p.duration(&c.Interval), "check_every": p.duration(&c.CheckEvery), "deadline": p.duration(&c.Deadline),
		"threshold": p.integer(&c.Threshold, 1, math.MaxInt32), "min_healthy": p.share(&c.MinHealthy), "max_ejected": p.share(&c.MaxEjected),
		"manual": p.manual(&c.Manual), "prometheus": p.prometheus(&c.Prometheus), "metric": p.metrics(c), "match": p.cohort(c),
		"sticky": p.sub("sticky", func(p place) map[string]setter {
			return map[string]setter{"cookie": p.str(&c.Sticky.Cookie), "ttl": p.duration(&c.Sticky.TTL)}
		})}
}

func (p place) share(dst *rollout.Share) setter { return p.percent((*uint32)(dst)) }

// steps decodes the list of weights.
func (p place) steps(c *Canary) setter {
	return func(f field) {
		for _, e := range elements(f) {
			var s rollout.Stage
			name, before := fmt.Sprintf("step[%d]", len(c.Steps)), len(p.problems)
			p.mark(name, e.pos)
			p.share(&s.Weight)(e)
			if len(p.problems) > before {
				p.unsure[spotKey{p.declared, name}] = true
			}
			c.Steps = append(c.Steps, s)
		}
	}
}

// stepBlocks decodes weights that have a time of their own.
func (p place) stepBlocks(c *Canary) setter {
	return func(f field) {
		list, ok := f.value.objects()
		if !ok {
			p.problem(f.pos, "write step { weight = … }, or steps = [ … ]", "%s must be a block, not %s", f.name, f.value.kind)
		}
		for _, n := range list {
			var s rollout.Stage
			inner := p.nth("step", len(c.Steps), n.pos)
			inner.fields(n, map[string]setter{"weight": inner.share(&s.Weight), "hold": inner.duration(&s.Hold)})
			c.Steps = append(c.Steps, s)
		}
	}
}

// manual decodes the steps that wait for a person.
func (p place) manual(m *rollout.Manual) setter {
	return func(f field) {
		for _, e := range elements(f) {
			switch s, ok := p.text(e); {
			case !ok:
			case s == "first":
				m.First = true
			case s == "last":
				m.Last = true
			default:
				p.problem(e.pos, "write first, last or both", "manual names no step that a person can be asked for")
			}
		}
	}
}

// prometheus decodes the address of a server. A password in it would be shown.
func (p place) prometheus(dst *string) setter {
	return func(f field) {
		s, ok := p.text(f)
		if !ok {
			return
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			p.problem(f.pos, "write a URL such as http://127.0.0.1:9090, without user, query and fragment", "prometheus is not the address of a server")
			return
		}
		*dst = s
	}
}

func (p place) metrics(c *Canary) setter {
	return func(f field) {
		for _, b := range p.labels(f, `metric "<name>" { … }`) {
			m := rollout.Metric{Name: b.label}
			inner := p.nth("metric", len(c.Metrics), b.pos)
			inner.fields(b.body, map[string]setter{"query": inner.anyQuery(&m.Query), "min": inner.limit(&m.Min), "max": inner.limit(&m.Max)})
			c.Metrics = append(c.Metrics, m)
		}
	}
}

// anyQuery decodes PromQL, in which {{ }} has no meaning of ours.
func (p place) anyQuery(dst *string) setter {
	return func(f field) {
		if s, ok := p.anyText(f); ok {
			*dst = s
		}
	}
}

func (p place) limit(dst **float64) setter {
	return func(f field) {
		v, err := strconv.ParseFloat(f.value.text, 64)
		if err != nil || !f.value.scalar() || math.IsInf(v, 0) || math.IsNaN(v) {
			p.problem(f.pos, "write a number, such as 0.01", "%s must be a number", f.name)
			return
		}
		*dst = &v
	}
}

// cohort decodes the requests that always go to the candidate: each match block has
// one condition, and any of them is enough.
func (p place) cohort(c *Canary) setter {
	return func(f field) {
		list, ok := f.value.objects()
		if !ok {
			p.problem(f.pos, "write match { … }", "%s must be a block, not %s", f.name, f.value.kind)
		}
		for _, n := range list {
			inner := p.nth("match", len(c.Cohort), n.pos)
			places := []rollout.Place{rollout.Header, rollout.Query, rollout.Cookie}
			found := map[rollout.Place]*[]mesh.Field{}
			known := map[string]setter{}
			for _, in := range places {
				found[in] = new([]mesh.Field)
				known[string(in)] = inner.conditions(string(in), found[in])
			}
			inner.fields(n, known)
			if m, ok := inner.cohortOf(n.pos, places, found); ok {
				c.Cohort = append(c.Cohort, m)
			}
		}
	}
}

// cohortOf makes the one condition of a match block.
func (p place) cohortOf(at Position, places []rollout.Place, found map[rollout.Place]*[]mesh.Field) (m rollout.Match, ok bool) {
	count := 0
	for _, in := range places {
		for _, f := range *found[in] {
			count++
			m = rollout.Match{In: in, Name: f.Name, Value: f.Exact + f.Regex, Regexp: f.Regex != ""}
			if f.Prefix+f.Suffix+f.Contains != "" || f.Absent || f.Exact != "" && f.Regex != "" {
				p.problem(at, "write exact or regex, or neither for any value", "a cohort is by one value, one regex or presence")
			}
		}
	}
	if count != 1 {
		p.problem(at, "write one header, cookie or query in each match block; any of the blocks is enough", "a match block of a canary has %d conditions", count)
	}
	return m, count == 1
}

// canaryNames translate the fields of [rollout.Mistake].
var canaryNames = strings.NewReplacer("steps[", "step[", "metrics[", "metric[", "cohort[", "match[", "metrics", "metric", "cohort", "match")

// checkCanary looks at the plan, and at it together with the routes.
func (p place) checkCanary(c *Canary) {
	s := p.cfg.Mesh.Service(mesh.Target{Service: c.Service})
	for _, x := range []struct {
		field  string
		subset *rollout.Subset
	}{{"stable", &c.Stable}, {"candidate", &c.Candidate}} {
		n := slices.IndexFunc(s.Subsets, func(known mesh.Subset) bool { return known.Name == x.subset.Name })
		if n >= 0 {
			x.subset.Definition = definition(s.Subsets[n])
		} else if x.subset.Name != "" {
			p.wrong(x.field, fmt.Sprintf("write subset %q { … } in routes %q", x.subset.Name, c.Service), "service %q has no subset %q", c.Service, x.subset.Name)
		}
	}
	told := map[string]bool{}
	for _, m := range c.Validate() {
		field := canaryNames.Replace(m.Field)
		told[field[:strings.IndexByte(field, ']')+1]] = true
		if !p.unread(mesh.Mistake{Position: p.declared, Field: field}) {
			p.wrong(field, m.Do, "%s: %s", field, m.What)
		}
	}
	for n, m := range c.Cohort {
		if name := fmt.Sprintf("match[%d]", n); !told[name] {
			p.checkMatch(name, m)
		}
	}
	p.checkTraffic(*c, s)
}

// checkMatch looks whether Envoy takes the condition of a cohort, as it would that of
// a route.
func (p place) checkMatch(name string, m rollout.Match) {
	f := mesh.Field{Name: m.Name, Exact: m.Value}
	if m.Regexp {
		f.Exact, f.Regex = "", m.Value
	}
	match := mesh.Match{}
	switch m.In {
	case rollout.Header:
		match.Headers = []mesh.Field{f}
	case rollout.Query:
		match.Queries = []mesh.Field{f}
	case rollout.Cookie:
		match.Cookies = []mesh.Field{f}
	}
	probe := mesh.Mesh{Services: []mesh.Service{{Name: "probe", Protocol: mesh.HTTP,
		Routes: []mesh.Route{{Match: match, Respond: &mesh.Respond{Status: http.StatusOK}}}}}}
	for _, wrong := range probe.Validate() {
		field := name + strings.TrimPrefix(wrong.Field, "match")
		p.wrong(field, wrong.Do, "%s: %s", field, wrong.What)
	}
}

func (p place) checkTraffic(c Canary, s mesh.Service) {
	if n := slices.IndexFunc(p.cfg.Canaries, func(other Canary) bool { return other.Service == c.Service }); n >= 0 {
		p.wrong("", "put both into one; the other is at "+p.cfg.Canaries[n].Position, "it is declared twice")
	}
	if len(s.Default) > 0 {
		p.wrong("", "remove to { … } from the routes, or the canary", "routes %q split the same requests at %s", c.Service, s.Position)
	}
	if !s.Protocol.L7() && (c.Sticky.Cookie != "" || len(c.Cohort) > 0) {
		p.wrong("match", "write protocol = \"http\" in the routes, or remove sticky and match", "a tcp service has no requests to look into")
	}
	if s.Sticky != nil && c.Sticky.Cookie != "" {
		p.wrong("sticky", "keep one of them", "routes %q have a sticky cookie too", c.Service)
	}
	if len(c.Metrics) > 0 && c.Prometheus == "" && !p.unread(mesh.Mistake{Position: p.declared, Field: "prometheus"}) {
		p.wrong("metric", "write prometheus = \"http://…\"", "no server is named that answers the queries")
	}
	p.checkEjected(c, s)
}

// wrong tells of a mistake at a field.
func (p place) wrong(field, do, format string, args ...any) {
	p.problem(p.spot(mesh.Mistake{Position: p.declared, Field: field}), do, "%s: %s", p.path, fmt.Sprintf(format, args...))
}

// definition identifies what a subset selects.
func definition(s mesh.Subset) catalog.Digest {
	return catalog.NewHasher().String("subset 1", s.Filter, strconv.FormatBool(s.OnlyPassing)).Sum()
}

// checkEjected looks whether anything can tell what Envoys ejected.
func (p place) checkEjected(c Canary, s mesh.Service) {
	if c.MaxEjected >= rollout.Whole {
		return
	}
	if c.Prometheus == "" && !p.unread(mesh.Mistake{Position: p.declared, Field: "prometheus"}) {
		p.wrong("max_ejected", "write prometheus = \"http://…\" of a server that scrapes the Envoys", "no server is named that tells what they ejected")
	}
	if s.Outlier == nil {
		p.wrong("max_ejected", fmt.Sprintf("write outlier_detection { … } in routes %q", c.Service), "nothing ejects an instance")
	}
}
