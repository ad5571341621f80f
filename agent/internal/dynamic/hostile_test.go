package dynamic

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"patchbay/agent/config"
)

// A template may come from whoever may write the configuration, and values from
// whoever may write the key: neither may stop the daemon.
func TestHostileTemplatesEndWithAnError(t *testing.T) {
	env := `{{ $x := env "A" }}`
	twice := `{{ $x = printf "%s%s" $x $x }}`
	tests := map[string]struct{ text, want string }{
		"a loop over a huge number":             {env + `{{ range 1000000000000 }}{{ end }}`, "turns"},
		"a loop that only continues":            {env + `{{ range 1000000000000 }}{{ continue }}{{ end }}`, "turns"},
		"loops within loops":                    {env + `{{ range 5000 }}{{ range 5000 }}{{ if false }}{{ end }}{{ end }}{{ end }}`, "turns"},
		"a loop in a condition":                 {env + `{{ if true }}{{ with 1 }}{{ range 1000000000000 }}{{ end }}{{ end }}{{ end }}`, "turns"},
		"a loop in an else":                     {env + `{{ if false }}{{ else }}{{ range 1000000000000 }}{{ end }}{{ end }}`, "turns"},
		"a template that calls itself":          {env + `{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}`, "turns"},
		"templates that call each other twice":  {env + `{{ define "x" }}{{ if . }}{{ end }}{{ template "y" }}{{ template "y" }}{{ end }}{{ define "y" }}{{ template "x" }}{{ end }}{{ template "x" }}`, "turns"},
		"a block that calls itself":             {env + `{{ block "x" . }}{{ template "x" }}{{ end }}`, "turns"},
		"output without end":                    {env + `{{ range 9000 }}` + strings.Repeat("x", 1000) + `{{ end }}`, "gives more than"},
		"a text doubled many times":             {`{{ $x := env "BIG" }}` + strings.Repeat(twice, 60), "gives more than"},
		"a text doubled by print":               {`{{ $x := env "BIG" }}` + strings.Repeat(`{{ $x = print $x $x }}`, 60), "gives more than"},
		"a text grown by escapes":               {`{{ $x := printf "%q" (env "BIG") }}` + strings.Repeat(`{{ $x = printf "%q" $x }}`, 60), "gives more than"},
		"a wide format":                         {env + `{{ printf "%999999d" 1 }}`, "width over 999"},
		"a width by argument":                   {env + `{{ printf "%*d" 999999 1 }}`, "width over 999"},
		"arguments taken again and again":       {env + `{{ printf "%[1]s%[1]s" $x }}`, "no ["},
		"a precision":                           {env + `{{ printf "%.999999f" 1.0 }}`, "width over 999"},
		"many wide formats":                     {env + `{{ printf "` + strings.Repeat("%999d", 1000) + `" }}`, ""},
		"a huge template":                       {env + strings.Repeat("x", maxTemplate), "longer than"},
		"a huge value":                          {`{{ key "huge" }}`, "gives more than"},
		"deep parentheses":                      {`{{ key ` + strings.Repeat("(", 15000) + `}}`, "cannot be read"},
		"deep conditions":                       {env + strings.Repeat(`{{ if 1 }}`, 4000), "cannot be read"},
		"a panic in a comparison":               {`{{ if lt (env "A") 1 }}{{ end }}`, "cannot be executed"},
		"an index that is not there":            {`{{ index (env "A") 7 }}`, "cannot be executed"},
		"a slice that is not there":             {`{{ slice (env "A") 8 }}`, "cannot be executed"},
		"a call of what is no function":         {`{{ call (env "A") }}`, "cannot be executed"},
		"a nil":                                 {`{{ env "A" }}{{ nil }}`, "cannot be"},
		"only a definition":                     {`{{ define "x" }}{{ env "A" }}{{ end }}`, ""},
		"a template that is not there":          {`{{ env "A" }}{{ template "nope" }}`, "cannot be executed"},
		"a definition of the template's step":   {`{{ define "step" }}{{ env "A" }}{{ end }}{{ range 20000 }}{{ template "step" }}{{ end }}`, "turns"},
		"a secret of a path that climbs":        {`{{ secret "kv/../sys/seal" }}`, "not a path"},
		"a secret of another host":              {`{{ secret "http://evil/x" }}`, "not a path"},
		"a secret with what is no name=value":   {`{{ secret "a/b" "c" }}`, "name=value"},
		"a key without path":                    {`{{ key "" }}`, "not a path"},
		"a key with a query that nobody knows ": {`{{ key "a?b c" }}`, "not a path"},
	}
	v := &values{env: map[string]string{"A": "hunter2", "BIG": strings.Repeat("hunter2", 100)}, kv: map[Key]string{{Path: "huge"}: strings.Repeat("x", maxOutput+1)}}
	vault := config.Vault{Enabled: true, Address: "http://127.0.0.1:1"}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := resolve(t, New(v.options(vault)), tc.text)
			if tc.want == "" {
				if len(got) > maxOutput {
					t.Errorf("%d bytes", len(got))
				}
				if err == nil {
					return
				}
			}
			says(t, err, []string{tc.want}, "hunter2")
		})
	}
}

func TestATemplateEndsWhenItsTimeIsOver(t *testing.T) {
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	v := &values{}
	o := v.options(config.Vault{Enabled: true, Address: "http://127.0.0.1:1"})
	o.KV = func(ctx context.Context, _ Key) (string, bool, error) {
		<-ctx.Done()
		return "", false, errors.New("get: " + ctx.Err().Error())
	}
	for text, want := range map[string]string{
		`{{ env "A" }}{{ range 10 }}{{ end }}`: "not done within 5s",
		`{{ env "A" }}{{ key "slow" }}`:        "not done within 5s",
		`{{ secret "kv/slow" }}`:               "not done within 5s",
	} {
		_, err := New(o).Provider(late, block(text))
		says(t, err, []string{want})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: error %v does not wrap the deadline", text, err)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := New(o).Provider(stopped, block(`{{ key "slow" }}`)); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "5s") {
		t.Errorf("after a stop: %v", err)
	}
}

// canary is in every value, and in no error.
const canary = "cAnArY7"

func FuzzATemplateNeitherPanicsNorShowsAValue(f *testing.F) {
	for _, seed := range []string{
		`{{ env "A" }}`, `{{ key "a" }}`, `{{ keyOrDefault "b" "c" }}`, `{{ range $i, $c := env "A" }}{{ $c }}{{ end }}`,
		`{{ with secret "kv/a" }}{{ .Data.data.k }}{{ end }}`, `{{ (key "a").x }}`, `{{ index (env "A") 99 }}`, `{{ call (env "A") }}`,
		`{{ key (env "A") }}`, `{{ printf "%d %v" (key "a") (env "A") }}`, `{{ template "x" (env "A") }}{{ define "x" }}{{ key . }}{{ end }}`,
		`{{ len (env "A") | env }}`, `{{ if eq (env "A") 1 }}{{ end }}`, `{{ secret (key "a") "x=y" }}`, `{{ env "A" | html | js | urlquery }}`,
		`{{ range 99999999 }}{{ env "A" }}{{ end }}`, `{{ $x := env "A" }}{{ range $x.y }}{{ break }}{{ end }}`, `{{- /* x */ -}}{{ not (env "A") }}`,
		`{{ step }}{{ env "A" }}`, `{{ and (env "A") (key "no") }}`, `{{ slice (env "A") 1 2 3 4 }}`,
	} {
		f.Add(seed)
	}
	value := canary + ` {{ env "A" }} "` + "`"
	o := Options{Getenv: func(string) string { return value },
		KV: func(_ context.Context, k Key) (string, bool, error) { return value, len(k.Path)%2 == 1, nil }}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, canary) || len(text) > 4096 {
			return // the text itself holds the canary, or is too slow to vary
		}
		got, err := New(o).Provider(t.Context(), block(text))
		if err != nil {
			says(t, err, []string{"resolve provider bigip: "}, canary)
			return
		}
		if out := got.Arguments.Reveal().GetAttr("password").AsString(); len(out) > 4*maxOutput {
			t.Errorf("%d bytes", len(out))
		}
	})
}
