package config

import (
	"math"
	"time"

	"patchbay/tasks"
)

const (
	defaultMin = 5 * time.Second
	defaultMax = 20 * time.Second
	// maxOfMin is how many times its min a task's max is when it is not set.
	maxOfMin = 4
)

// completion fills in what a block does not set.
type completion func(b tasks.Buffer, minSet, maxSet bool) tasks.Buffer

// globalBuffer completes the global block: it is laid over 5s and 20s.
func globalBuffer(b tasks.Buffer, minSet, maxSet bool) tasks.Buffer {
	if !minSet {
		b.Min = defaultMin
	}
	if !maxSet {
		b.Max = defaultMax
	}
	return b
}

// taskBuffer completes a task's block from the global buffer.
func taskBuffer(parent tasks.Buffer) completion {
	return func(b tasks.Buffer, minSet, maxSet bool) tasks.Buffer {
		if !minSet {
			b.Min = defaultMin
			if parent.Enabled {
				b.Min = parent.Min
			}
		}
		if !maxSet {
			b.Max = maxOfMin * min(b.Min, math.MaxInt64/maxOfMin)
		}
		return b
	}
}

// buffer decodes a buffer_period block within the one at path. The zero field gives
// what complete makes of nothing.
func (d *decoder) buffer(f field, path string, complete completion) tasks.Buffer {
	b := tasks.Buffer{Enabled: true}
	var minSet, maxSet bool
	part := func(dst *time.Duration, set *bool) setter {
		return func(f field) {
			v, ok := d.span(f)
			if ok && v < 0 {
				d.problem(f.pos, "write a duration of at least \"0\"", "buffer_period: cannot be negative")
				return
			}
			*dst, *set = v, true
		}
	}
	if f.name != "" {
		d.nested(path, map[string]setter{"enabled": d.boolean(&b.Enabled), "min": part(&b.Min, &minSet), "max": part(&b.Max, &maxSet)})(f)
	}
	if !b.Enabled {
		return tasks.Buffer{}
	}
	b = complete(b, minSet, maxSet)
	b.Max = max(b.Min, b.Max) // as CTS: a max below min becomes min
	return b
}

// guard decodes a guard block within the one at path over what it inherits.
func (d *decoder) guard(f field, path string, inherited tasks.Guard) tasks.Guard {
	g := inherited
	if f.name != "" {
		d.nested(path, map[string]setter{
			"max_destroys": d.integer(&g.MaxDestroys, 0, math.MaxInt32), "allow_empty": d.boolean(&g.AllowEmpty)})(f)
	}
	return g
}
