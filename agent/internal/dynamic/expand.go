package dynamic

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

const (
	// maxTemplate bounds a template's text, maxOutput what it gives and every text
	// made on the way, in bytes; a certificate with its chain is some 10 KiB.
	maxTemplate, maxOutput = 64 << 10, 256 << 10
	// maxSteps bounds the turns of all loops and templates called by one template.
	maxSteps = 10_000
)

// Faults of a template that no call of ours is to blame for.
var (
	errLong    = fmt.Errorf("the template is longer than %d bytes", maxTemplate)
	errOutput  = fmt.Errorf("the template gives more than %d bytes", maxOutput)
	errSteps   = fmt.Errorf("the template takes more than %d turns", maxSteps)
	errNoValue = errors.New("there is no such field")
)

// noValue is what text/template writes for a field that is not there.
const noValue = "<no value>"

var (
	// calls finds a call of ours between braces.
	calls = regexp.MustCompile("(?s)\\{\\{-?(?:.*?[\\s(|=])?(?:" + strings.Join(readers, "|") + ")(?:\\s+[\"`(.$].*?|\\s*-?)\\}\\}")
	// undefined and place take what may be shown out of an error of text/template,
	// which may quote the template and even values.
	undefined = regexp.MustCompile(`function "(\w+)" not defined`)
	place     = regexp.MustCompile(`^template: [^:]*:(\d+)`)
)

// foreign are functions of consul-template that there are not here.
var foreign = strings.Fields(`file plugin executeTemplate writeToFile ls safeLs tree safeTree node nodes service
	services connect caRoots caLeaf pkiCert datacenters partitions peerings base64Decode base64Encode base64URLDecode
	base64URLEncode parseJSON parseYAML parseInt parseBool toJSON toYAML toLower toUpper trim trimSpace trimPrefix
	trimSuffix split join replaceAll regexMatch regexReplaceAll timestamp scratch`)

func isTemplate(text string) bool { return strings.Contains(text, "{{") && calls.MatchString(text) }

// expand executes one template.
func (r *reading) expand(ctx context.Context, text string) (string, error) {
	if len(text) > maxTemplate {
		return "", errLong
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	known := &literals{paths: map[string]bool{}}
	funcs := r.funcs(ctx, known)
	// As in consul-template, a field that is not there is false in a condition.
	t, err := template.New("").Option("missingkey=zero").Funcs(funcs).Parse(text)
	if err != nil {
		return "", unparsable(err)
	}
	step := template.Must(template.New("").Funcs(funcs).Parse("{{ step }}")).Root.Nodes[0]
	for _, each := range t.Templates() {
		if each.Tree != nil {
			known.visit(each.Root, step)
			each.Root.Nodes = append([]parse.Node{step}, each.Root.Nodes...)
		}
	}
	var out output
	if err := t.Execute(&out, nil); err != nil {
		return "", known.explain(ctx, err)
	}
	return out.text.String(), nil
}

// output takes what a template writes.
type output struct{ text strings.Builder }

func (o *output) Write(p []byte) (int, error) {
	if string(p) == noValue {
		return 0, errNoValue
	}
	if o.text.Len()+len(p) > maxOutput {
		return 0, errOutput
	}
	return o.text.Write(p)
}

func unparsable(err error) error {
	if m := undefined.FindStringSubmatch(err.Error()); m != nil {
		if slices.Contains(foreign, m[1]) {
			return fmt.Errorf("function %s is not available here; use env, key and secret with their variants", m[1])
		}
	}
	return fmt.Errorf("the template cannot be read%s: look at its braces, quotes and function names", where(err))
}

func where(err error) string {
	if m := place.FindStringSubmatch(err.Error()); m != nil {
		return " (line " + m[1] + ")"
	}
	return ""
}
