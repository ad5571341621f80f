package agent

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"patchbay/tasks"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	mainName    = "main.tf"
	valuesName  = "terraform.tfvars"
	ownName     = "variables.auto.tfvars"
	maxMain     = 1 << 20 // bytes of a main.tf that is read
	maxTold     = 50      // differences told of one file
	maxToldText = 100     // characters told of one value
)

// rootThere is the root module that another tool left in a task's directory.
type rootThere struct {
	main        *hclsyntax.Body
	mainText    []byte
	values, own []byte // of Consul and of the user's variables; nil when not there
}

// readRoot reads the files that are compared by meaning. Without main.tf there is
// nothing to compare with.
func readRoot(t tasks.Task) (r rootThere, err error) {
	if r.mainText, err = readFile(filepath.Join(t.WorkingDir, mainName), maxMain); err != nil {
		return r, fmt.Errorf("read files of Consul-Terraform-Sync: %w", err)
	}
	if r.mainText == nil {
		return r, fmt.Errorf("find files of Consul-Terraform-Sync: there is no main.tf in %s; nothing was planned: "+
			"compare with the same working_dir and from the same directory as it runs in, once it has set the task up", t.WorkingDir)
	}
	if r.main, err = parseMain(r.mainText); err != nil {
		return r, fmt.Errorf("read %s: %w", filepath.Join(t.WorkingDir, mainName), err)
	}
	var errs [2]error
	r.values, errs[0] = readFile(filepath.Join(t.WorkingDir, valuesName), maxRead)
	r.own, errs[1] = readFile(filepath.Join(t.WorkingDir, ownName), maxRead)
	return r, errors.Join(errs[:]...)
}

func parseMain(content []byte) (*hclsyntax.Body, error) {
	f, diags := hclsyntax.ParseConfig(content, mainName, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, fmt.Errorf("line %d: %s", diags[0].Subject.Start.Line, diags[0].Summary)
	}
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok {
		return nil, errors.New("it is no HCL")
	}
	return body, nil
}

// differences tells in words how the files that Patchbay would write differ in
// their meaning. Constraints on versions, comments and layout have none here.
func (r rootThere) differences(t tasks.Task, files tasks.Files) ([]string, error) {
	text := files.Root[mainName].Content
	main, err := parseMain(text)
	if err != nil {
		return nil, fmt.Errorf("read the rendered main.tf: %w", err)
	}
	out := told(mainName, slices.Concat(
		unequal(backendOf(r.main, r.mainText), backendOf(main, text)),
		unequal(moduleOf(r.main, r.mainText, t), moduleOf(main, text, t)),
	))
	for name, there := range map[string][]byte{valuesName: r.values, ownName: r.own} {
		list, err := valueDifferences(there, files.Root[name].Content)
		if err != nil {
			return nil, fmt.Errorf("read the rendered %s: %w", name, err)
		}
		out = append(out, told(name, list)...)
	}
	slices.SortStableFunc(out, func(a, b string) int { return strings.Compare(fileOf(a), fileOf(b)) })
	return out, nil
}

func fileOf(difference string) string {
	name, _, _ := strings.Cut(difference, ":")
	return name
}

// told bounds the differences of one file.
func told(file string, list []string) (out []string) {
	for n, d := range list {
		if n == maxTold {
			return append(out, fmt.Sprintf("%s: %d more differences", file, len(list)-n))
		}
		out = append(out, file+": "+d)
	}
	return out
}

// meaning maps what a part of main.tf says to the words for it and its value; a
// value that is not shown differs without being told.
type meaning map[string]said

type said struct {
	value string
	shown bool
}

// unequal lists what differs, in the order of name.
func unequal(there, here meaning) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(union(there, here))) {
		a, inThere := there[name]
		b, inHere := here[name]
		switch {
		case !inHere:
			out = append(out, name+" is in CTS's file only")
		case !inThere:
			out = append(out, name+" is in Patchbay's file only")
		case a.value != b.value && a.shown && b.shown:
			out = append(out, fmt.Sprintf("%s is %s in CTS's file and %s in Patchbay's", name, short(a.value), short(b.value)))
		case a.value != b.value:
			out = append(out, name+" differs")
		}
	}
	return out
}

func union[V any](a, b map[string]V) map[string]V {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]V{}
	}
	maps.Copy(out, b)
	return out
}

func short(text string) string {
	if r := []rune(text); len(r) > maxToldText {
		return string(r[:maxToldText]) + "…"
	}
	return text
}
