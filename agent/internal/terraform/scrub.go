package terraform

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"patchbay/tasks"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// minSecret is the shortest value worth hiding: shorter ones would tear texts
// apart and hide nothing.
const minSecret = 6

// maxError bounds the text of an error, in bytes.
const maxError = 4 << 10

// public are variables whose values are addresses and paths that an error must
// show to be of use.
var public = []string{
	"CONSUL_HTTP_ADDR", "CONSUL_CACERT", "CONSUL_CAPATH", "CONSUL_CLIENT_CERT",
	"CONSUL_CLIENT_KEY", "CONSUL_TLS_SERVER_NAME",
}

// scrubber replaces secrets in texts. The zero scrubber replaces nothing.
type scrubber struct{ secrets *regexp.Regexp }

// newScrubber knows the values of files.Env and the texts in secret files.
func newScrubber(files tasks.Files) scrubber {
	var values []string
	for k, s := range files.Env {
		v := s.Reveal()
		if slices.Contains(public, k) && !strings.Contains(v, "@") {
			continue
		}
		values = append(values, v)
	}
	for name, f := range files.Root {
		if f.Secret {
			values = append(values, literals(name, f.Content)...)
		}
	}
	return scrubberOf(values)
}

func scrubberOf(values []string) scrubber {
	seen := map[string]bool{}
	for _, v := range values {
		for _, form := range []string{v, strings.Trim(strconv.Quote(v), `"`), url.QueryEscape(v), url.PathEscape(v)} {
			if utf8.RuneCountInString(form) >= minSecret && strings.TrimSpace(form) != "" {
				seen[form] = true
			}
		}
	}
	if len(seen) == 0 {
		return scrubber{}
	}
	var forms []string
	for form := range seen {
		forms = append(forms, form)
	}
	// The longest first: a secret may be part of another one.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	for i, form := range forms {
		forms[i] = flexible(form)
	}
	re, err := regexp.Compile(strings.Join(forms, "|"))
	if err != nil {
		// Quoted forms always compile; if not, hide all.
		re = regexp.MustCompile(`(?s).+`)
	}
	return scrubber{re}
}

// flexible matches form however Terraform wrapped its lines.
func flexible(form string) string {
	words := strings.Fields(form)
	for i, w := range words {
		words[i] = regexp.QuoteMeta(w)
	}
	return strings.Join(words, `[\s│]+`)
}

// text gives s with <secret> for every secret.
func (c scrubber) text(s string) string {
	if c.secrets == nil {
		return s
	}
	return c.secrets.ReplaceAllLiteralString(s, "<secret>")
}

// failure gives s scrubbed, without frames and bounded, for an error.
func (c scrubber) failure(s string) string {
	var lines []string
	for line := range strings.Lines(c.text(s)) {
		line = strings.TrimRight(strings.TrimLeft(line, "│╷╵ "), " \n\r")
		if line != "" || len(lines) > 0 && lines[len(lines)-1] != "" {
			lines = append(lines, line)
		}
	}
	out := strings.TrimSpace(strings.Join(lines, "\n"))
	if len(out) <= maxError {
		return out
	}
	return strings.ToValidUTF8(out[:maxError], "") + " … (cut)"
}

// literals are the texts in an HCL file of values; all of the file when it is not
// HCL.
func literals(name string, content []byte) (out []string) {
	f, diags := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
	if diags.HasErrors() {
		return strings.Fields(string(content))
	}
	attrs, _ := f.Body.JustAttributes()
	for _, a := range attrs {
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			continue
		}
		_ = cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
			if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
				out = append(out, v.AsString())
			}
			return true, nil
		})
	}
	return out
}
