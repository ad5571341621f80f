package chain

import (
	"strings"
	"time"
)

// config is an opaque configuration of which each value is taken once; what is left is
// not served. Keys are in lower case without underscores, as Consul writes them both
// with and without.
type config map[string]option

type option struct {
	name  string // as it was written
	value any
}

func options(in map[string]any) config {
	out := config{}
	for k, v := range in {
		out[plainKey(k)] = option{k, v}
	}
	return out
}

func plainKey(k string) string { return strings.ReplaceAll(strings.ToLower(k), "_", "") }

func (c config) take(key string) any {
	key = plainKey(key)
	v := c[key].value
	delete(c, key)
	return v
}

func (c config) text(key string) string {
	s, _ := c.take(key).(string)
	return s
}

// number gives a whole number; what is out of every range stays so.
func (c config) number(key string) int {
	n, _ := c.take(key).(float64)
	return int(max(-1, min(n, 1<<30)))
}

func (c config) millis(key string) time.Duration {
	return time.Duration(c.number(key)) * time.Millisecond
}

func (c config) inner(key string) config {
	m, _ := c.take(key).(map[string]any)
	return options(m)
}

// span reads a duration that is a text or a number of nanoseconds.
func (c config) span(key string) time.Duration {
	switch v := c.take(key).(type) {
	case float64:
		return time.Duration(max(-1, min(v, float64(24*time.Hour))))
	case string:
		if d, err := time.ParseDuration(v); err == nil {
			return d
		}
		return -1 // no time: the check of what was made refuses it
	}
	return 0
}
