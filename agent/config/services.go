package config

import (
	"regexp"
	"slices"
	"strings"

	"patchbay/agent/internal/filter"
	"patchbay/tasks"
)

// services decodes the attributes that a condition and an input share; more are
// those of the one.
func (d *decoder) services(b labelled, path string, more map[string]setter) (s tasks.Services) {
	var namesSet, regexpSet bool
	more["names"] = func(f field) {
		namesSet = true
		d.list(&s.Names)(f)
		if slices.Contains(s.Names, "") {
			d.problem(f.pos, "remove it", "names field includes empty string(s). service names cannot be empty")
		}
	}
	more["regexp"] = func(f field) {
		regexpSet = true
		d.regexp(&s.Regexp, "services", f)
	}
	more["filter"] = func(f field) { d.filter(&s.Filter, f) }
	more["datacenter"], more["namespace"] = d.str(&s.Datacenter), d.str(&s.Namespace)
	more["cts_user_defined_meta"] = d.stringMap(&s.UserMeta)
	if d.fromAPI {
		more["others"] = func(f field) { s.Others = d.others(f, path) }
	}
	d.block(b.body, path, more)
	switch {
	case !regexpSet && !(namesSet && len(s.Names) > 0):
		d.missing(b.pos, "write names = [\"…\"], or regexp = \"…\" with \"\" for all services", "either the regexp or names field must be configured")
	case regexpSet && namesSet:
		d.problem(b.pos, "remove one of the two", "regexp and names fields cannot both be configured")
	}
	return s
}

// others decodes the selections that the API shows beside one, because a file had
// service blocks that differ.
func (d *decoder) others(f field, path string) (out []tasks.Services) {
	for _, e := range elements(f) {
		out = append(out, d.services(labelled{pos: e.pos, body: e.value}, path, map[string]setter{}))
	}
	return out
}

// regexp decodes a regular expression. CTS passes it through a template string, so
// its users double each backslash once more: doubled ones are halved when the
// result compiles, and taken as they are otherwise. of is the type of the block.
func (d *decoder) regexp(dst *string, of string, f field) {
	s, ok := d.text(f)
	if !ok {
		return
	}
	if half := strings.ReplaceAll(s, `\\`, `\`); half != s {
		if _, err := regexp.Compile(half); err == nil {
			s = half
		}
	}
	if _, err := regexp.Compile(s); err != nil {
		d.problem(f.value.pos, "correct the expression; its syntax is RE2", "unable to compile %s regexp: %v", of, err)
		return
	}
	*dst = s
}

// quadrupled finds texts in which backslashes come in fours and no otherwise.
var quadrupled = regexp.MustCompile(`^[^\\]*(?:(?:\\{4})+[^\\]*)+$`)

// filter decodes a filter expression. A backslash for a regular expression in it
// is written twice; CTS, which passes it through a template string, wants four.
func (d *decoder) filter(dst *string, f field) {
	s, ok := d.text(f)
	if !ok {
		return
	}
	if quadrupled.MatchString(s) {
		half := strings.ReplaceAll(s, `\\`, `\`)
		if _, err := filter.Compile(half); err == nil {
			s = half
		}
	}
	if _, err := filter.Compile(s); err != nil {
		d.problem(f.value.pos, "correct the expression; its syntax is Consul's", "unable to use the services filter: %v", err)
		return
	}
	*dst = s
}
