package config

import "github.com/zclconf/go-cty/cty"

// Variables reads variable files, HCL or JSON, as those of a task's variable_files;
// later files win. Relative paths start at o.WorkDir. An error is an [Error] that has
// every mistake with its place, and shows no value.
func Variables(paths []string, o Options) (map[string]cty.Value, error) {
	d := newDecoder(o, newReport())
	t := &taskBlock{fromFiles: map[string]cty.Value{}}
	list := node{kind: kindList}
	for _, path := range paths {
		list.list = append(list.list, node{kind: kindString, text: path, pos: Position{File: path}})
	}
	d.variableFiles(t, field{name: "variable_files", value: list})
	return t.fromFiles, d.err()
}
