package templates

import "testing"

func TestOnlyAModuleThatDeclaresTheVariableTakesCanaryWeights(t *testing.T) {
	for sentence, c := range map[string]struct {
		files map[string][]byte
		want  bool
	}{
		"a declaration in any file":    {map[string][]byte{"a.tf": []byte("# x\n"), "z.tf": []byte("variable \"canary_weights\" {\n  default = {}\n}\n")}, true},
		"a declaration in JSON":        {map[string][]byte{"v.tf.json": []byte(`{"variable": {"canary_weights": {"default": {}}}}`)}, true},
		"the name in a comment":        {map[string][]byte{"a.tf": []byte("# variable \"canary_weights\" {}\n")}, false},
		"the name of a resource":       {map[string][]byte{"a.tf": []byte("resource \"terraform_data\" \"canary_weights\" {}\n")}, false},
		"a file in a nested module":    {map[string][]byte{"sub/a.tf": []byte("variable \"canary_weights\" {}\n")}, false},
		"files that cannot be read":    {map[string][]byte{"a.tf": []byte("variable {{{"), "b.tf.json": []byte("{")}, false},
		"a broken file beside a whole": {map[string][]byte{"a.tf": []byte("{{{"), "b.tf": []byte("variable \"canary_weights\" {}\n")}, true},
		"no file":                      {nil, false},
	} {
		if got := TakesCanaryWeights(c.files); got != c.want {
			t.Errorf("%s: takes weights is %t, want %t", sentence, got, c.want)
		}
	}
}

func TestAVariableOfTheTaskCannotTakeTheNameOfTheWeights(t *testing.T) {
	c := task("clash")
	c.Variables = object(CanaryVariable, 1).AsValueMap()
	if _, err := Render(c, Inputs{Backend: local(), CanaryWeights: map[string]map[string]float64{}}); err == nil {
		t.Error("two variables have one name")
	}
}
