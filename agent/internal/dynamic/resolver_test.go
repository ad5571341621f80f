package dynamic

import (
	"errors"
	"strings"
	"testing"

	"patchbay/agent/config"
	"patchbay/tasks"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

func TestTemplatesAreFilledInFromEnvironmentAndConsul(t *testing.T) {
	v := &values{
		env: map[string]string{"USER": "admin", "EMPTY": ""},
		kv: map[Key]string{{Path: "net/pw"}: "s3cret", {Path: "net/empty"}: "", {Path: "net/pw", Datacenter: "dc2"}: "other",
			{Path: "net/pw", Namespace: "ops", Partition: "edge"}: "third", {Path: "a b/ü"}: "odd"},
	}
	tests := map[string]struct{ text, want string }{
		"a variable":                                   {`{{ env "USER" }}`, "admin"},
		"an unset variable is empty":                   {`{{ env "NOT_SET" }}`, ""},
		"text around is kept":                          {`https://{{env "USER"}}:{{ key "net/pw" }}@host/${x}`, "https://admin:s3cret@host/${x}"},
		"spaces beside the braces can be cut":          {"a \n{{- env \"USER\" -}}\n b", "aadminb"},
		"a default for an unset variable":              {`{{ envOrDefault "NOT_SET" "root" }}`, "root"},
		"a default is not taken for a set variable":    {`{{ envOrDefault "USER" "root" }}`, "admin"},
		"a variable that must be set":                  {`{{ mustEnv "USER" }}`, "admin"},
		"a key":                                        {`{{ key "net/pw" }}`, "s3cret"},
		"a key with a slash before it":                 {`{{ key "/net/pw" }}`, "s3cret"},
		"a key of another datacenter":                  {`{{ key "net/pw@dc2" }}`, "other"},
		"a key of a namespace and partition":           {`{{ key "net/pw?ns=ops&partition=edge" }}`, "third"},
		"a key with odd letters":                       {`{{ key "a b/ü" }}`, "odd"},
		"an empty key is there":                        {`<{{ key "net/empty" }}>`, "<>"},
		"a default for a missing key":                  {`{{ keyOrDefault "no" "dflt" }}`, "dflt"},
		"a default for an empty key":                   {`{{ keyOrDefault "net/empty" "dflt" }}`, "dflt"},
		"a default is not taken for a key":             {`{{ keyOrDefault "net/pw" "dflt" }}`, "s3cret"},
		"a condition on a key that is there":           {`{{ if keyExists "net/pw" }}yes{{ else }}no{{ end }}`, "yes"},
		"a condition on a key that is not":             {`{{ if keyExists "no" }}yes{{ else }}no{{ end }}`, "no"},
		"a key with its existence":                     {`{{ with keyExistsGet "net/pw" }}{{ .Key }}={{ .Value }} {{ .Exists }}{{ end }}`, "net/pw=s3cret true"},
		"a missing key with its existence":             {`{{ with keyExistsGet "no" }}{{ .Exists }}{{ end }}`, "false"},
		"a path made of a variable":                    {`{{ key (printf "net/%s" "pw") }}`, "s3cret"},
		"a path by a pipe":                             {`{{ "net/pw" | key }}`, "s3cret"},
		"a value in a variable of the template":        {`{{ $u := env "USER" }}{{ $u }}{{ $u }}`, "adminadmin"},
		"a raw string":                                 {"{{ key `net/pw` }}", "s3cret"},
		"a comparison":                                 {`{{ if eq (env "USER") "admin" }}1{{ end }}`, "1"},
		"braces without a call are a password":         {`a{{b}}c{{ "x" }}`, `a{{b}}c{{ "x" }}`},
		"a word that only looks like a call":           {`a{{my-key}}b{{ .key }}`, `a{{my-key}}b{{ .key }}`},
		"a call without its end is a password":         {`p{{ env "USER"`, `p{{ env "USER"`},
		"HCL's own interpolation is not a call":        {`${env("USER")}`, `${env("USER")}`},
		"a backslash and quotes":                       {`\"{{ env "USER" }}\"`, `\"admin\"`},
		"a value that looks like a template stays one": {`{{ env "T" }}`, `{{ env "USER" }}`},
	}
	v.env["T"] = `{{ env "USER" }}`
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := mustResolve(t, New(v.options(config.Vault{})), tc.text); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestEveryStringOfABlockIsFilledInWhereverItStands(t *testing.T) {
	v := &values{env: map[string]string{"A": "1", "B": "2"}}
	a, b, plain := cty.StringVal(`{{ env "A" }}`), cty.StringVal(`x{{ env "B" }}`), cty.StringVal("plain")
	in := tasks.Provider{Name: "p", Alias: "q", Env: map[string]tasks.Secret{"X": tasks.NewSecret(`{{env "A"}}!`), "Y": tasks.NewSecret("y")},
		Arguments: tasks.NewSecretValue(cty.ObjectVal(map[string]cty.Value{
			"blocks": cty.TupleVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"deep": a, "n": cty.NumberIntVal(7)}), cty.EmptyTupleVal}),
			"map":    cty.MapVal(map[string]cty.Value{"k": b}), "list": cty.ListVal([]cty.Value{a, plain}),
			"set": cty.SetVal([]cty.Value{a, b}), "null": cty.NullVal(cty.String), "flag": cty.True,
			"none": cty.ListValEmpty(cty.String), "plain": plain,
		}))}
	one, two := cty.StringVal("1"), cty.StringVal("x2")
	want := cty.ObjectVal(map[string]cty.Value{
		"blocks": cty.TupleVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"deep": one, "n": cty.NumberIntVal(7)}), cty.EmptyTupleVal}),
		"map":    cty.MapVal(map[string]cty.Value{"k": two}), "list": cty.ListVal([]cty.Value{one, plain}),
		"set": cty.SetVal([]cty.Value{one, two}), "null": cty.NullVal(cty.String), "flag": cty.True,
		"none": cty.ListValEmpty(cty.String), "plain": plain,
	})
	got, err := New(v.options(config.Vault{})).Provider(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Arguments.Reveal().RawEquals(want) {
		t.Errorf("arguments = %#v, want %#v", got.Arguments.Reveal(), want)
	}
	if got.ID() != "p.q" || got.Env["X"].Reveal() != "1!" || got.Env["Y"].Reveal() != "y" {
		t.Errorf("got %s with X=%q Y=%q", got.ID(), got.Env["X"].Reveal(), got.Env["Y"].Reveal())
	}
	if in.Env["X"].Reveal() != `{{env "A"}}!` {
		t.Error("the block of the configuration was changed")
	}
}

func TestABlockWithoutTemplatesIsGivenBackAndNothingIsRead(t *testing.T) {
	r := New(Options{}) // any read would panic
	in := block(`p{{a}}ss`)
	in.Env = map[string]tasks.Secret{"A": tasks.NewSecret("x")}
	got, err := r.Provider(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Arguments.Reveal().RawEquals(in.Arguments.Reveal()) || got.Env["A"].Reveal() != "x" {
		t.Error("the block was changed")
	}
	for _, empty := range []tasks.Provider{{Name: "p"}, {Name: "p", Arguments: tasks.NewSecretValue(cty.EmptyObjectVal)}} {
		if _, err := r.Provider(t.Context(), empty); err != nil {
			t.Errorf("a block without arguments: %v", err)
		}
	}
}

func TestValuesAreReadOncePerBlockAndAnewForTheNextRun(t *testing.T) {
	v := &values{kv: map[Key]string{{Path: "pw"}: "one"}}
	r := New(v.options(config.Vault{}))
	if got := mustResolve(t, r, `{{ key "pw" }} {{ key "pw" }} {{ keyOrDefault "pw" "" }}`); got != "one one one" {
		t.Errorf("got %q", got)
	}
	if v.reads != 1 {
		t.Errorf("the key was read %d times for one block, want once", v.reads)
	}
	v.kv[Key{Path: "pw"}] = "two"
	if got := mustResolve(t, r, `{{ key "pw" }}`); got != "two" {
		t.Errorf("after the change got %q, want two", got)
	}
}

func TestErrorsNameProviderArgumentAndCallAndNeverAValue(t *testing.T) {
	v := &values{env: map[string]string{"PW": "hunter2"}, kv: map[Key]string{{Path: "bin"}: "hunter2\xff", {Path: "zero"}: "hunter2\x00"}}
	tests := map[string]struct {
		text  string
		want  []string
		never string
	}{
		"a missing key":                 {`x{{ key "net/pw" }}`, []string{`resolve provider bigip: password: {{ key "net/pw" }}: there is no such key`}, ""},
		"a missing key beside a value":  {`hunter2{{ key "net/pw" }}`, []string{"no such key"}, "hunter2"},
		"a path made of a value":        {`{{ key (env "PW") }}`, []string{"{{ key … }}", "no such key"}, "hunter2"},
		"a default is a value too":      {`{{ keyOrDefault "a?b@c@d" "hunter2" }}`, []string{`{{ keyOrDefault "a?b@c@d" }}`, "not a path"}, "hunter2"},
		"a variable that must be set":   {`{{ mustEnv "NO" }}`, []string{`{{ mustEnv "NO" }}`, "not set"}, ""},
		"a loop over a value":           {`{{ range env "PW" }}{{ end }}`, []string{"cannot be executed (line 1)"}, "hunter2"},
		"a field of a value":            {`{{ (env "PW").x }}`, []string{"cannot be executed"}, "hunter2"},
		"a number for a path":           {`{{ key (5) }}`, []string{"cannot be"}, ""},
		"a function of consul-template": {`{{ file "/etc/passwd" }}{{ env "PW" }}`, []string{"function file is not available"}, "passwd"},
		"an unknown function":           {`{{ hunter2 }}{{ env "PW" }}`, []string{"cannot be read (line 1)"}, "hunter2"},
		"a string without its end":      {"\n{{ env \"PW\" }}{{ env \"hunter2 }}", []string{"cannot be read (line 2)"}, "hunter2"},
		"Vault without a vault block":   {`{{ with secret "kv/a" }}{{ .Data.b }}{{ end }}`, []string{`{{ secret "kv/a" }}`, "detected dynamic configuration using Vault: missing Vault configuration"}, ""},
		"a list without a vault block":  {`{{ range secrets "kv" }}{{ . }}{{ end }}`, []string{"missing Vault configuration"}, ""},
		"a secret by a path of a value": {`{{ with secret (env "PW") }}{{ end }}`, []string{"{{ secret … }}"}, "hunter2"},
		"bytes that are no text":        {`{{ key "bin" }}`, []string{"password: the value is not UTF-8 text"}, "hunter2"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := resolve(t, New(v.options(config.Vault{})), tc.text)
			never := []string{"\x00"}
			if tc.never != "" {
				never = append(never, tc.never)
			}
			says(t, err, append(tc.want, "resolve provider bigip: password: "), never...)
		})
	}
	_, err := New(v.options(config.Vault{})).Provider(t.Context(), tasks.Provider{Name: "b", Env: map[string]tasks.Secret{"E": tasks.NewSecret(`{{ key "zero" }}`)}})
	says(t, err, []string{"resolve provider b: task_env.E: ", "zero byte"}, "hunter2")
	deep := tasks.Provider{Name: "b", Arguments: tasks.NewSecretValue(cty.ObjectVal(map[string]cty.Value{
		"login": cty.TupleVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"pw": cty.StringVal(`{{ key "no" }}`)})})}))}
	_, err = New(v.options(config.Vault{})).Provider(t.Context(), deep)
	says(t, err, []string{"login[0].pw: "})
	_, err = resolve(t, New(v.options(config.Vault{})), `{{ secret "kv/a" }}`)
	if !errors.Is(err, ErrNoVault) {
		t.Errorf("error %v is not ErrNoVault", err)
	}
}

func TestAConsulThatFailsIsToldWithoutWhatItSaidOfAValue(t *testing.T) {
	v := &values{env: map[string]string{"PW": "hunter2"}, kvErr: errors.New("get key hunter2: 500\n" + strings.Repeat("x", 9000))}
	for _, function := range []string{"key", "keyExists", "keyExistsGet"} {
		_, err := resolve(t, New(v.options(config.Vault{})), `{{ `+function+` "a/b" }}`)
		says(t, err, []string{`{{ ` + function + ` "a/b" }}: consul: get key hunter2: 500 xxx`}, "\n")
		if len(err.Error()) > 500 {
			t.Errorf("error of %d bytes", len(err.Error()))
		}
		_, err = resolve(t, New(v.options(config.Vault{})), `{{ `+function+` (env "PW") }}`)
		says(t, err, []string{"consul: the value could not be read"}, "hunter2")
	}
}

func TestWhatCallsATemplateIsFound(t *testing.T) {
	want := map[string]bool{
		`{{env "A"}}`: true, `{{- key "a" -}}`: true, `{{ with secret "p" }}`: true, `{{if keyExists "x"}}`: true, `{{$x:=env "A"}}`: true,
		`{{ (env "A") }}`: true, `{{"a"|env}}`: true, `{{ range secrets "kv/" }}`: true, "{{\nkey `a`\n}}": true,
		`{{env}}`: true, `{{ envy "A" }}`: false, `{{ .env }}`: false, `env "A"`: false, `{{}}`: false, `{{ "x" }}`: false, `{ env "A" }`: false,
	}
	got := map[string]bool{}
	for text := range want {
		got[text] = isTemplate(text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
