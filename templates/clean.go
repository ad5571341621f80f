package templates

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

// cleaner cleans the texts of one thing from Consul and keeps the first fault.
type cleaner struct {
	// of is the variable and the kind of thing, name which one, advice what to do.
	of, name, advice string
	err              error
}

func (c *cleaner) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s %s: %s; nothing was rendered, %s", c.of, quote(c.name), fmt.Sprintf(format, args...), c.advice)
	}
}

func (c *cleaner) text(field, s string) string {
	if isASCII(s) {
		return s
	}
	if !utf8.ValidString(s) {
		c.fail("%s %s is not valid UTF-8", field, quote(s))
		return ""
	}
	return cty.NormalizeString(s)
}

// hidden cleans a text that no error may show.
func (c *cleaner) hidden(field, s string) string {
	if !utf8.ValidString(s) {
		c.fail("%s is not valid UTF-8", field)
		return ""
	}
	return cty.NormalizeString(s)
}

func (c *cleaner) list(field string, list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, c.text("an entry of "+field, s))
	}
	slices.Sort(out)
	return out
}

func (c *cleaner) pairs(field string, m map[string]string) []pair {
	out := make([]pair, 0, len(m))
	for k, v := range m {
		out = append(out, pair{k, v})
	}
	// Sorted before cleaning too, so that of several faults always the same is told.
	byKey := func(a, b pair) int { return cmp.Compare(a.key, b.key) }
	slices.SortFunc(out, byKey)
	for n, p := range out {
		if !isASCII(p.key) {
			out[n].key = c.text("a key of "+field, p.key)
		}
		if !isASCII(p.value) {
			out[n].value = c.text(field+" "+quote(p.key), p.value)
		}
	}
	if !slices.IsSortedFunc(out, byKey) {
		slices.SortFunc(out, byKey)
	}
	for n := 1; n < len(out); n++ {
		if out[n].key == out[n-1].key {
			c.fail("two keys of %s are both %s in Unicode form NFC", field, quote(out[n].key))
		}
	}
	return out
}

func isASCII(s string) bool {
	for n := range len(s) {
		if s[n] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unique brings entries to the order of their cleaned keys; two of one key are an
// error, which only happens when Unicode NFC made them one.
func unique[E any](list []E, of string, key func(E) string) error {
	slices.SortFunc(list, func(a, b E) int { return cmp.Compare(key(a), key(b)) })
	for n := 1; n < len(list); n++ {
		if k := key(list[n]); k == key(list[n-1]) {
			return fmt.Errorf("%s %s: two are this one in Unicode form NFC, as Terraform reads them; nothing was rendered, rename one of them in Consul", of, quote(k))
		}
	}
	return nil
}
