package mesh

import (
	"fmt"
	"regexp"
)

// CookieExpression is the regular expression on the header that carries all cookies,
// by which Envoy finds one that meets the condition.
func (f Field) CookieExpression() string {
	value := "[^;]*"
	switch quote := regexp.QuoteMeta; {
	case f.Exact != "":
		value = quote(f.Exact)
	case f.Prefix != "":
		value = quote(f.Prefix) + "[^;]*"
	case f.Suffix != "":
		value = "[^;]*" + quote(f.Suffix)
	case f.Contains != "":
		value = "[^;]*" + quote(f.Contains) + "[^;]*"
	case f.Regex != "":
		value = "(?:" + f.Regex + ")"
	}
	return `(?:.*;\s*)?` + regexp.QuoteMeta(f.Name) + "=" + value + `(?:\s*;.*)?`
}

// cookieValue looks at a condition of which Envoy is given an expression, whatever it
// is.
func (r *review) cookieValue(f Field) {
	before := len(r.list)
	r.regex("regex", f.Regex, "%s")
	if len(r.list) > before {
		return
	}
	size := programSize(f.CookieExpression())
	r.when(size > maxProgram, "", fmt.Sprintf("Envoy may refuse the condition: it finds a cookie by an expression, whose program has up to %d steps, and %d are allowed", size, maxProgram),
		"use a shorter name and value, or a header")
}
