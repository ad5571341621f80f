package agent

import (
	"context"
	"fmt"

	"patchbay/tasks"
	"patchbay/templates"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// render makes the files of the run; of a destroy without the module, so that
// Terraform plans to destroy all that the module made.
func (a *attempt) render(ctx context.Context) (tasks.Files, error) {
	in, err := a.inputs(ctx, a.task, a.input)
	if err != nil {
		return tasks.Files{}, err
	}
	a.providers, in.CanaryWeights = in.Providers, a.weights
	files, err := templates.Render(a.task, in)
	if err != nil || !a.destroy {
		return files, err
	}
	main := files.Root["main.tf"]
	f, diags := hclwrite.ParseConfig(main.Content, "main.tf", hcl.InitialPos)
	if diags.HasErrors() {
		return tasks.Files{}, fmt.Errorf("read main.tf: %w", diags)
	}
	for _, b := range f.Body().Blocks() {
		if b.Type() == "module" {
			f.Body().RemoveBlock(b)
		}
	}
	main.Content = f.Bytes()
	files.Root["main.tf"] = main
	return files, nil
}
