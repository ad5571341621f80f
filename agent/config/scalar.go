package config

import (
	"math"
	"strconv"
	"strings"
	"time"

	"patchbay/tasks"
)

// Weak typing is CTS's: numbers, booleans and strings stand for one another where
// the text allows it, and a single value for a list of one. No message shows a
// value, since any may be a secret.

// text decodes a string without template calls.
func (d *decoder) text(f field) (string, bool) {
	if f.value.scalar() && dynamic.MatchString(f.value.text) {
		d.problem(f.value.pos, "write the value itself, or set it by an environment variable where the reference names one",
			"dynamic configuration using template syntax is only supported for terraform_provider blocks")
		return "", false
	}
	return d.anyText(f)
}

// anyText decodes a string.
func (d *decoder) anyText(f field) (string, bool) {
	n := f.value
	if !n.scalar() {
		d.problem(f.pos, "write "+f.name+" = \"…\"", "%s must be a string, not %s", f.name, n.kind)
		return "", false
	}
	if n.kind == kindBool {
		d.warn(n.pos, "%s is a string; a boolean is read as \"1\" or \"0\", put it in quotes", f.name)
		return map[string]string{"true": "1", "false": "0"}[n.text], true
	}
	return n.text, true
}

func (d *decoder) str(dst *string) setter {
	return func(f field) {
		if s, ok := d.text(f); ok {
			*dst = s
		}
	}
}

func (d *decoder) secret(dst *tasks.Secret) setter {
	return func(f field) {
		if s, ok := d.text(f); ok {
			*dst = tasks.NewSecret(s)
		}
	}
}

// path decodes a path and makes it absolute.
func (d *decoder) path(dst *string) setter {
	return func(f field) {
		if s, ok := d.text(f); ok {
			*dst = absolute(d.WorkDir, s)
		}
	}
}

func (d *decoder) boolean(dst *bool) setter {
	return func(f field) {
		b, err := strconv.ParseBool(f.value.text)
		if err != nil || !f.value.scalar() {
			d.problem(f.pos, "write true or false", "%s must be a boolean", f.name)
			return
		}
		*dst = b
	}
}

func (d *decoder) integer(dst *int, least, most int) setter {
	return func(f field) {
		n, err := strconv.ParseFloat(f.value.text, 64)
		if err != nil || !f.value.scalar() || n != math.Trunc(n) {
			d.problem(f.pos, "write "+f.name+" = "+strconv.Itoa(max(least, 1)), "%s must be a whole number", f.name)
			return
		}
		if n < float64(least) || n > float64(most) {
			d.problem(f.pos, "write a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most), "%s is out of range", f.name)
			return
		}
		*dst = int(n)
	}
}

// duration decodes a duration of at least 0; a bare number is seconds.
func (d *decoder) duration(dst *time.Duration) setter {
	return func(f field) {
		v, ok := d.span(f)
		if ok && v < 0 {
			d.problem(f.pos, "write a duration of at least \"0\"", "%s cannot be negative", f.name)
			return
		}
		if ok {
			*dst = v
		}
	}
}

// span decodes a duration of either sign.
func (d *decoder) span(f field) (time.Duration, bool) {
	if f.value.kind == kindNumber {
		seconds, err := strconv.ParseFloat(f.value.text, 64)
		if err == nil && math.Abs(seconds) < math.MaxInt64/float64(time.Second) {
			if seconds != 0 {
				d.warn(f.pos, "%s has no unit and is read as seconds; write \"%ss\"", f.name, f.value.text)
			}
			return time.Duration(seconds * float64(time.Second)), true
		}
	}
	v, err := time.ParseDuration(f.value.text)
	if err != nil || f.value.kind != kindString {
		d.problem(f.pos, "write a duration with unit, such as \"1m30s\" or \"500ms\"", "%s must be a duration", f.name)
		return 0, false
	}
	return v, true
}

// elements gives the fields of a list: a single value is a list of one.
func elements(f field) (out []field) {
	if f.value.kind != kindList {
		return []field{f}
	}
	for _, n := range f.value.list {
		out = append(out, field{name: f.name, pos: n.pos, value: n})
	}
	return out
}

func (d *decoder) list(dst *[]string) setter {
	return func(f field) {
		*dst = nil
		for _, e := range elements(f) {
			if s, ok := d.text(e); ok {
				*dst = append(*dst, s)
			}
		}
	}
}

// pairs calls use for every name and text of a block or object whose names are
// the user's; decode is text or anyText.
func (d *decoder) pairs(f field, decode func(field) (string, bool), use func(name string, entry field, text string)) {
	n, ok := d.object(f)
	if !ok {
		return
	}
	for _, e := range n.fields {
		if s, ok := decode(e); ok {
			use(e.name, e, s)
		}
	}
}

func (d *decoder) stringMap(dst *map[string]string) setter {
	return func(f field) {
		*dst = map[string]string{}
		d.pairs(f, d.text, func(name string, _ field, text string) { (*dst)[name] = text })
	}
}

// autoEnabled is what a block's enabled is when it is not set: true when anything
// else in the block is, strings only when they are not empty.
func autoEnabled(n node) bool {
	for _, f := range n.fields {
		empty := f.value.kind == kindString && f.value.text == ""
		if !strings.EqualFold(f.name, "enabled") && !empty {
			return true
		}
	}
	return false
}

// env gives a trimmed environment variable, the first of names that is not empty.
func (d *decoder) env(names ...string) string {
	for _, name := range names {
		if v := strings.TrimSpace(d.Env(name)); v != "" {
			return v
		}
	}
	return ""
}
