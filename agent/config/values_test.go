package config

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

func TestVariablesAreReadFromFilesAlone(t *testing.T) {
	o := inDir(t, map[string]string{
		"a.tfvars": "zone = \"dmz\"\nports = [80, 443]\n", "b.json": `{"zone": "lan", "on": true}`,
		"bad.tfvars": "zone = upper(\"x\")\n",
	})
	got, err := Variables([]string{"a.tfvars", "b.json"}, o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]cty.Value{
		"zone": cty.StringVal("lan"), "on": cty.True,
		"ports": cty.TupleVal([]cty.Value{cty.NumberIntVal(80), cty.NumberIntVal(443)}),
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(cty.Value.RawEquals)); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	for file, place := range map[string]string{"bad.tfvars": "bad.tfvars:1", "not_there.tfvars": "not_there.tfvars"} {
		_, err := Variables([]string{file}, o)
		e, ok := errors.AsType[*Error](err)
		if !ok || len(e.Problems) != 1 {
			t.Fatalf("%s gave %v, want one problem", file, err)
		}
		if got := e.Problems[0].String(); len(got) < len(place) || got[:len(place)] != place {
			t.Errorf("%s: problem is %q, want it at %s", file, got, place)
		}
	}
}
