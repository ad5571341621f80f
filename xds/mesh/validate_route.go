package mesh

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

func (r *review) route(s Service, x Route) {
	if x.Name != "" {
		r.named("", "route", x.Name)
	}
	r.within("match", func() { r.match(x.Match) })
	r.action(s, x)
	r.when(x.Idle < 0, "idle_timeout", "it is negative", "write a duration above 0")
	if x.Retry != nil {
		r.within("retry", func() { r.retry(*x.Retry, x.Timeout) })
	}
	if x.Mirror != nil {
		r.within("mirror", func() { r.target(x.Mirror.Target) })
		r.when(x.Mirror.Share > Whole, "mirror.percent", "it is more than all", "write 0 to 100")
	}
	if x.Fault != nil {
		r.within("fault", func() { r.fault(*x.Fault) })
	}
	if x.Rewrite != nil {
		r.within("rewrite", func() { r.rewrite(*x.Rewrite, x.Match) })
	}
	if x.Limit != nil {
		r.within("rate_limit", func() { r.limit(*x.Limit) })
	}
	r.headers("request_headers", x.Request)
	r.headers("response_headers", x.Response)
	r.hashes(x.Hash)
}

// action looks at what is done with a request: one thing.
func (r *review) action(s Service, x Route) {
	answered := x.Redirect != nil || x.Respond != nil
	r.when(x.Redirect != nil && x.Respond != nil, "respond", "a request cannot be redirected and answered", "keep one of redirect and respond")
	r.when(answered && len(x.To) > 0, "to", "a request that is answered here goes nowhere", "keep one of to, redirect and respond")
	r.when(!answered && len(x.To) == 0, "", "it does nothing with a request", "write to { … }, redirect { … } or respond { … }")
	for _, rule := range []struct {
		name  string
		there bool
	}{{"rewrite", x.Rewrite != nil}, {"mirror", x.Mirror != nil}, {"retry", x.Retry != nil}} {
		r.when(answered && rule.there, rule.name, "a request that is answered here goes nowhere", "remove "+rule.name)
	}
	r.split(s, x.To)
	if x.Redirect != nil {
		r.within("redirect", func() { r.redirect(*x.Redirect, x.Match) })
	}
	if x.Respond != nil {
		r.when(x.Respond.Status < 200 || x.Respond.Status > 599, "respond.status", fmt.Sprintf("%d is no status of an answer", x.Respond.Status), "write 200 to 599")
		r.when(len(x.Respond.Body) > maxValue, "respond.body", fmt.Sprintf("it is longer than %d bytes", maxValue), "write a shorter one")
	}
}

// all tells whether every request matches.
func (m Match) all() bool {
	return m.Path == "" && m.Regex == "" && (m.Prefix == "" || m.Prefix == "/") && len(m.Methods)+len(m.Headers)+len(m.Queries)+len(m.Cookies) == 0
}

func (r *review) match(m Match) {
	set := []string{}
	for _, kind := range []struct{ name, value string }{{"path", m.Path}, {"prefix", m.Prefix}, {"regex", m.Regex}} {
		if kind.value != "" {
			set = append(set, kind.name)
		}
	}
	if len(set) > 1 {
		r.when(true, set[1], strings.Join(set, " and ")+" are set at once", "keep one; a request has one path")
	}
	r.path("path", m.Path)
	r.path("prefix", m.Prefix)
	if re := r.regex("regex", m.Regex, m.folded()); re != nil {
		begin, _ := re.LiteralPrefix()
		r.when(begin != "" && begin[0] != '/', "regex", "it matches no path: paths begin with /", "begin it with /")
	}
	for _, name := range m.Methods {
		r.when(!method.MatchString(name), "methods", fmt.Sprintf("%q is no method", short(name)), "write GET, POST and the like, in capitals")
	}
	r.program("methods", strings.Join(m.Methods, "|"))
	r.conditions("header", "header", m.Headers)
	r.conditions("query", "query parameter", m.Queries)
	r.conditions("cookie", "cookie", m.Cookies)
}

func (m Match) folded() string {
	if m.IgnoreCase {
		return "(?i)%s"
	}
	return "%s"
}

// path looks at a path or the beginning of one.
func (r *review) path(field, path string) {
	if path == "" {
		return
	}
	r.when(path[0] != '/', field, "it matches no path: paths begin with /", "begin it with /")
	r.when(strings.ContainsAny(path, "?#"), field, "a path ends before ? and #", "match on the query with query \"<name>\" { … }")
	why := text(path, maxValue)
	r.when(why != "", field, "it is no path: "+why, "correct it")
}

var pseudo = []string{":authority", ":method", ":path", ":scheme"}

func (r *review) conditions(field, what string, list []Field) {
	exact := map[string]string{}
	for n, f := range list {
		r.within(fmt.Sprintf("%s[%d]", field, n), func() { r.condition(what, f) })
		if f.Exact == "" || f.Absent {
			continue
		}
		name := f.Name
		if what == "header" {
			name = strings.ToLower(name)
		}
		before, twice := exact[name]
		r.when(twice && before != f.Exact, fmt.Sprintf("%s[%d]", field, n), fmt.Sprintf("the %s %q cannot have two values at once", what, short(f.Name)), "keep one, write a regex, or make two routes")
		exact[name] = f.Exact
	}
}

func (r *review) condition(what string, f Field) {
	named := token.MatchString(f.Name) || what == "query parameter" && f.Name != "" && text(f.Name, maxName) == "" || what == "header" && slices.Contains(pseudo, f.Name)
	r.when(!named, "", fmt.Sprintf("%q is no name of a %s", short(f.Name), what), "use the letters, digits and signs that HTTP allows in names")
	set := 0
	for _, v := range []struct{ name, value string }{{"exact", f.Exact}, {"prefix", f.Prefix}, {"suffix", f.Suffix}, {"contains", f.Contains}, {"regex", f.Regex}} {
		if v.value != "" {
			set++
		}
		why := text(v.value, maxValue)
		r.when(why != "", v.name, "no value matches: "+why, "correct it")
	}
	r.when(set > 1, "", fmt.Sprintf("%d conditions on the value of one %s", set, what), "keep one; write another block of the same name for the next")
	r.when(what == "query parameter" && f.Absent && set > 0, "", "Envoy cannot turn a condition on a query parameter's value round", "put a route with the condition itself before this one")
	if what == "cookie" {
		r.cookieValue(f)
		return
	}
	r.regex("regex", f.Regex, "%s")
}

func (r *review) headers(field string, h Headers) {
	r.within(field, func() {
		for _, list := range []struct {
			name   string
			values map[string]string
		}{{"set", h.Set}, {"add", h.Add}} {
			for _, name := range slices.Sorted(maps.Keys(list.values)) {
				r.header(list.name, name)
				why := text(list.values[name], maxValue)
				r.when(why != "", list.name, fmt.Sprintf("the value of %q cannot be sent: %s", short(name), why), "correct it")
			}
		}
		for _, name := range h.Remove {
			r.header("remove", name)
		}
	})
}

func (r *review) header(field, name string) {
	r.when(!token.MatchString(name), field, fmt.Sprintf("%q is no name of a header that can be changed", short(name)), "use the letters, digits and signs that HTTP allows in names")
	r.when(strings.EqualFold(name, "host"), field, "Envoy does not change host this way", "write rewrite { host = … }")
}

// reasons are Envoy's conditions for trying again.
var reasons = []string{"5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited", "retriable-4xx",
	"refused-stream", "retriable-status-codes", "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"}

func (r *review) retry(x Retry, timeout time.Duration) {
	const maxAttempts = 100
	r.when(x.Attempts < 1 || x.Attempts > maxAttempts, "attempts", fmt.Sprintf("%d is no number of attempts", x.Attempts), fmt.Sprintf("write 1 to %d", maxAttempts))
	for _, on := range x.On {
		r.when(!slices.Contains(reasons, on), "on", fmt.Sprintf("%q is no reason that Envoy knows", short(on)), "use "+strings.Join(reasons, ", "))
	}
	for _, code := range x.Codes {
		r.when(code < 400 || code > 599, "codes", fmt.Sprintf("%d is no status of a failed request", code), "write 400 to 599")
	}
	r.when(x.PerTry < 0, "per_try_timeout", "it is negative", "write a duration above 0")
	r.when(timeout > 0 && x.PerTry > timeout, "per_try_timeout", "one attempt may take longer than all together", "write less than timeout")
}

func (r *review) fault(x Fault) {
	r.when(x.Delay == 0 && x.Status == 0, "", "it disturbs nothing", "write delay or status")
	r.when(x.Delay < 0, "delay", "it is negative", "write a duration above 0")
	r.when(x.Status != 0 && (x.Status < 200 || x.Status > 599), "status", fmt.Sprintf("%d is no status of an answer", x.Status), "write 200 to 599")
	r.when(x.DelayShare > Whole, "delay_percent", "it is more than all", "write 0 to 100")
	r.when(x.AbortShare > Whole, "abort_percent", "it is more than all", "write 0 to 100")
}

func (r *review) rewrite(x Rewrite, m Match) {
	r.when(x.Prefix == "" && x.Regex == "" && x.Host == "", "", "it changes nothing", "write prefix, regex or host")
	r.when(x.Prefix != "" && x.Regex != "", "regex", "prefix and regex are both set", "keep one")
	r.when(x.Prefix != "" && m.Regex != "", "prefix", "a path that a regex matched has no prefix to change", "write regex and substitution")
	r.path("prefix", x.Prefix)
	r.when(x.Substitution != "" && x.Regex == "", "substitution", "there is no regex whose matches it takes the place of", "write regex")
	if re := r.regex("regex", x.Regex, "%s"); re != nil {
		r.substitution(x.Substitution, re.NumSubexp())
	}
	r.when(x.Host != "" && !isHost(x.Host), "host", fmt.Sprintf("%q is no name of a host", short(x.Host)), "write a name such as web.example.com")
}

// substitution looks at RE2's form of a replacement: \0 to \9 and \\.
func (r *review) substitution(s string, groups int) {
	why := text(s, maxValue)
	for n := 0; n < len(s) && why == ""; n++ {
		if s[n] != '\\' {
			continue
		}
		n++
		switch {
		case n < len(s) && s[n] == '\\':
		case n == len(s) || s[n] < '0' || s[n] > '9':
			why = `after \ comes a digit or another \`
		case int(s[n]-'0') > groups:
			why = fmt.Sprintf(`\%c is asked for, but the regex has %d groups`, s[n], groups)
		}
	}
	r.when(why != "", "substitution", "it cannot be put in: "+why, `write \1 for the first group and \\ for a backslash`)
}

func (r *review) redirect(x Redirect, m Match) {
	r.when(x == Redirect{Code: x.Code}, "", "it leads to the same address again", "write scheme, host, path, prefix or port")
	r.when(x.Scheme != "" && x.Scheme != "http" && x.Scheme != "https", "scheme", fmt.Sprintf("%q is no scheme of a web address", short(x.Scheme)), "write http or https")
	r.when(x.Host != "" && !isHost(x.Host) && !isIP(x.Host), "host", fmt.Sprintf("%q is no name of a host", short(x.Host)), "write a name such as web.example.com")
	r.when(x.Path != "" && x.Prefix != "", "prefix", "path and prefix are both set", "keep one")
	r.when(x.Prefix != "" && m.Regex != "", "prefix", "a path that a regex matched has no prefix to change", "write path")
	r.when(x.Path != "" && x.Path[0] != '/', "path", "paths begin with /", "begin it with /")
	why := text(x.Path, maxValue)
	r.when(why != "", "path", "it is no path: "+why, "correct it")
	r.path("prefix", x.Prefix)
	r.when(x.Port < 0 || x.Port > maxPort, "port", "it is no port", "write 1 to 65535")
	r.when(!slices.Contains([]int{0, 301, 302, 303, 307, 308}, x.Code), "code", fmt.Sprintf("%d is no code of a redirection", x.Code), "write 301, 302, 303, 307 or 308")
}

func (r *review) limit(x Limit) {
	const least = 50 * time.Millisecond // Envoy's
	r.when(x.Requests < 1, "requests", "nothing is let through", "write 1 or more; to refuse all write respond { … }")
	r.when(x.Per != 0 && x.Per < least, "per", "Envoy counts in steps of 50ms or longer", "write a longer time and more requests")
	r.when(x.Burst < 0 || x.Burst > 0 && x.Burst < x.Requests, "burst", "it is less than requests", "write at least as many as requests, or leave it out")
}
