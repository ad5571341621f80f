package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
)

func TestTextIsShownWithItsControlCharacters(t *testing.T) {
	for sentence, c := range map[string]struct{ text, want string }{
		"plain text stays":              {"web-1: größer 日本", "web-1: größer 日本"},
		"escape sequences are shown":    {"\x1b[31mred\x07", `\x1b[31mred\a`},
		"line breaks are shown":         {"a\r\nb", `a\r\nb`},
		"C1 and DEL are shown":          {"\u009b31m\x7f", `\u009b31m\x7f`},
		"direction marks are shown":     {"a\u202eb\u2066", `a\u202eb\u2066`},
		"invalid UTF-8 is shown":        {"a\xff\xfeb", `a\xff\xfeb`},
		"the replacement sign stays":    {"a�b", "a�b"},
		"spaces that mislead are shown": {"a\u00a0b\u2028", `a\u00a0b\u2028`},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := printable(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestLongTextIsCutWithACount(t *testing.T) {
	if got, want := clip("größer", 3), "grö… (3 more characters)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := clip("größer", 6); got != "größer" {
		t.Errorf("got %q", got)
	}
}

func FuzzNothingUnprintableIsShown(f *testing.F) {
	for _, s := range []string{"", "web", "\x1b]0;x\a", "\xc0\xaf", "\U000e0001", "\u202e", "a\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := printable(text); strings.ContainsFunc(got, func(r rune) bool { return !strconv.IsPrint(r) }) || !utf8.ValidString(got) {
			t.Errorf("printable(%q) = %q", text, got)
		}
		got, err := jsonText(text)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(strings.TrimSuffix(got, "\n"), func(r rune) bool { return !strconv.IsPrint(r) }) {
			t.Errorf("jsonText(%q) = %q", text, got)
		}
		var back string
		if err := json.Unmarshal([]byte(got), &back); err != nil || back != strings.ToValidUTF8(text, "�") && utf8.ValidString(text) {
			t.Errorf("%q came back as %q, %v", text, back, err)
		}
	})
}

func TestLongFlagsMayHaveOneDash(t *testing.T) {
	for sentence, c := range map[string]struct{ args, want string }{
		"a known flag gets its second dash":      {"start -config-file x", "start --config-file x"},
		"with a value behind =":                  {"start -config-file=x -once=false", "start --config-file=x --once=false"},
		"two dashes stay":                        {"start --once", "start --once"},
		"a value that looks like a flag stays":   {"start -config-file -once -once", "start --config-file -once --once"},
		"a boolean takes no value":               {"start -once -inspect", "start --once --inspect"},
		"one letter stays":                       {"status -o json -h", "status -o json -h"},
		"the value of one letter stays":          {"status -o -check", "status -o -check"},
		"a letter with its value stays":          {"status -ojson -o=json", "status -ojson -o=json"},
		"help is known everywhere":               {"task show -help", "task show --help"},
		"an unknown word is a long flag":         {"start -bogus", "start --bogus"},
		"flags of a nested command are known":    {"task runs web -limit 3", "task runs web --limit 3"},
		"what follows -- stays":                  {"start -- -once", "start -- -once"},
		"a lone dash stays":                      {"start - -once", "start - --once"},
		"client flags of the group's command":    {"task show -http-addr -x web", "task show --http-addr -x web"},
		"without command only the root is known": {"-version", "--version"},
	} {
		t.Run(sentence, func(t *testing.T) {
			root := (&cli{}).root()
			got := strings.Join(normalise(root, strings.Fields(c.args)), " ")
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnAddressIsTakenApart(t *testing.T) {
	for address, want := range map[string][2]string{
		`module.web.fw_rule.m["web-1.n1.dc1"]`:    {"fw_rule.m", "web-1.n1.dc1"},
		`module.web.module.a["x"].fw_rule.m[0]`:   {`module.a["x"].fw_rule.m`, "0"},
		`module.web.fw_rule.m["a[1].\"b\""]`:      {"fw_rule.m", `a[1]."b"`},
		`module.web.fw_rule.m`:                    {"fw_rule.m", ""},
		`module.other.fw_rule.m`:                  {"module.other.fw_rule.m", ""},
		`module.web.fw_rule.m (deposed object 1)`: {"fw_rule.m (deposed object 1)", ""},
		`fw_rule.m["`:                             {`fw_rule.m["`, ""},
		``:                                        {"", ""},
	} {
		block, key := splitAddress("web", address)
		if diff := cmp.Diff(want, [2]string{block, key}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", address, diff)
		}
	}
}

func TestAHugePlanIsCutWithACount(t *testing.T) {
	var plan tasks.Plan
	for n := range maxObjects + 7 {
		plan.Changes = append(plan.Changes, tasks.Change{Address: "x.y[" + strconv.Itoa(n) + "]", Action: tasks.Create})
	}
	var fields []tasks.Field
	for n := range maxFields + 2 {
		fields = append(fields, tasks.Field{Path: "f" + strconv.Itoa(n), After: "v"})
	}
	lines := strings.Repeat("l\n", maxLines+3)
	plan.Changes[0] = tasks.Change{Address: "x.y[0]", Action: tasks.Update, Fields: fields}
	plan.Changes[1].Fields = []tasks.Field{{Path: "content", After: lines}}
	var p page
	p.plan(0, "web", plan)
	for _, want := range []string{"and 7 objects more", "and 2 fields more", "+ and 3 lines more"} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, p.String())
		}
	}
	if n := strings.Count(p.String(), "\n"); n > maxObjects+maxFields+maxLines+10 {
		t.Errorf("%d lines are shown", n)
	}
}
