package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// asHCL1 writes the same settings as asHCL in one line, which only HCL 1 reads.
func asHCL1(items []item) string {
	var parts []string
	for _, it := range items {
		switch {
		case it.Body == nil:
			text := quoteJSON(it.Value)
			if staysOpen(text) { // HCL 1 would look for the end of ${ beyond the string
				text = strings.ReplaceAll(text, "${", `\x24{`)
			}
			parts = append(parts, it.Name+" = "+text)
		case it.Label == "":
			parts = append(parts, it.Name+" { "+asHCL1(it.Body)+" }")
		default:
			parts = append(parts, it.Name+` "`+it.Label+`" { `+asHCL1(it.Body)+" }")
		}
	}
	return strings.Join(parts, ", ")
}

// staysOpen tells whether a ${ in the text has no end.
func staysOpen(text string) bool {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case depth == 0 && strings.HasPrefix(text[i:], "${"):
			depth = 1
			i++ // past the brace
		case depth > 0 && text[i] == '{':
			depth++
		case depth > 0 && text[i] == '}':
			depth--
		}
	}
	return depth > 0
}

func TestBothDialectsGiveEqualConfigs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := drawConfig(t)
		// Two attributes in one line make sure that HCL 2 refuses the file.
		old := asHCL1(append(items, item{Name: "client_type", Value: "x"}, item{Name: "log_format", Value: "json"})) + "\n"
		second := newReport()
		parseHCL2(Position{}, []byte(old), second)
		if second.err() == nil {
			t.Fatalf("HCL 2 reads %s", old)
		}
		items = append(items, item{Name: "log_format", Value: "json"})
		if d := cmp.Diff(loadText(t, "a.hcl", asHCL(items)), loadText(t, "b.hcl", old)); d != "" {
			t.Fatalf("HCL 2 (-) and HCL 1 (+) differ:\n%s\n%s", d, old)
		}
	})
}

func TestHeredocsKeepTheirLinesInBothDialects(t *testing.T) {
	for text, want := range map[string]string{
		"<<E\na\n b\nE\n":      "a\n b\n",
		"<<E\nE\n":             "",
		"<<E\na\n  E\n":        "a\n",
		"<<-E\n  a\n   b\n  E": "a\n b\n",
		"<<-E\n  a\n b\n  E\n": "  a\n b\n",
		"<<-E\n\ta\n\tE\n":     "a\n",
		"<<-E\n    a\n  E\n":   "  a\n",
		"<<-E\n  ${a}\n  E\n":  "${a}\n",
	} {
		r := newReport()
		top, ok := parseHCL1(Position{File: "a.hcl"}, []byte("x = 1, y = "+text+"\n"), r)
		if !ok || len(top.fields) != 2 || top.fields[1].value.text != want {
			t.Errorf("%q gives %+v, want %q", text, top.fields, want)
		}
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		second := parseHCL2(Position{File: "a.hcl"}, []byte("y = "+text), r)
		if r.err() != nil || len(second.fields) != 1 || second.fields[0].value.text != want {
			t.Errorf("%q gives %+v in HCL 2, want %q: %v", text, second.fields, want, r.err())
		}
	}
}

func TestWhatHCL1CannotBeIsRefused(t *testing.T) {
	for _, text := range []string{
		"a = b", "a = null", "a = f(1)", `a = "\w"`, `a = "\xff"`, `a = "x`, "a = 99999999999999999999", "a = 08", "a = [1 2]", "a b = 1",
		"{}", "a", "a {", "a = <<E\nx", "= 1", "a = 1e999",
		"a =", "a = 1, b = # none\n",
	} {
		r := newReport()
		if top, ok := parseHCL1(Position{File: "a.hcl"}, []byte(text), r); ok || len(r.problems)+len(r.warnings) > 0 {
			t.Errorf("%q gives %+v, problems %v", text, top, r.problems)
		}
	}
}

func TestPositionsOfHCL1AreThoseOfTheFile(t *testing.T) {
	text := "# é\r\nport = 1, id = \"é\", lag = 2\r\ntask { name = \"a\" \"nmae\" = 1, module = \"m/m/m\" condition \"services\" { nams = 1 } }\r\n"
	r := newReport()
	build([]source{{"a.hcl", []byte(text)}}, testOptions("/work", nil), r)
	var got []string
	for _, p := range sorted(r.problems) {
		got = append(got, p.Position.String())
	}
	want := []string{"a.hcl:2:21", "a.hcl:3:19", "a.hcl:3:48", "a.hcl:3:71"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want (-), got (+):\n%s\n%v", d, r.problems)
	}
}
