package templates

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// CanaryVariable is the variable by which a module is given the weights of canaries:
// map(map(number)), service to subset to percent. Only a module that declares it gets
// it, and services never has any of it.
const CanaryVariable = "canary_weights"

// TakesCanaryWeights tells whether the files of a module, by path below its directory,
// declare [CanaryVariable]. A file that cannot be read declares nothing: Terraform
// tells what is wrong with it.
func TakesCanaryWeights(files map[string][]byte) bool {
	for name, content := range files {
		switch {
		case strings.Contains(name, "/"):
		case path.Ext(name) == ".tf":
			if declares, err := declaresVariable(name, content, CanaryVariable); err == nil && declares {
				return true
			}
		case strings.HasSuffix(name, ".tf.json"):
			var body struct{ Variable map[string]json.RawMessage }
			if err := json.Unmarshal(content, &body); err == nil && body.Variable[CanaryVariable] != nil {
				return true
			}
		}
	}
	return false
}

func canaryVariable(weights map[string]map[string]float64) consulVariable {
	return consulVariable{
		name:        CanaryVariable,
		description: "The share of a service's traffic that each of its subsets has now, in percent",
		constraint:  typeTokens(cty.Map(cty.Map(cty.Number))),
		write: func(s *sheet) {
			s.open(CanaryVariable, bare)
			for _, service := range slices.Sorted(maps.Keys(weights)) {
				s.open(service, quoted)
				for _, subset := range slices.Sorted(maps.Keys(weights[service])) {
					s.key(subset, quoted)
					s.add(hclsyntax.TokenNumberLit, strconv.FormatFloat(weights[service][subset], 'f', -1, 64), 1)
					s.newline()
				}
				s.close(true)
			}
			s.close(false)
		},
	}
}
