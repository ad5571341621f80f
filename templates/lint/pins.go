package lint

import (
	"regexp"
	"strings"

	"patchbay/templates/source"
)

const pinned = "the version that runs is the newest one of the day, so that the same task can behave otherwise tomorrow"

// pins judges what is not bound to a version.
func (l *linter) pins() {
	if l.Needs().Terraform == "" {
		l.found = append(l.found, Finding{Severity: Warning, Rule: "no-pin", File: l.anyFile(), What: "the module does not say which Terraform it needs",
			Why: "an older one fails with errors that do not tell so", Do: `add terraform { required_version = ">= 1.4.0" }`})
	}
	have := map[string]bool{"terraform": true} // terraform_data
	for _, r := range l.Requirements() {
		have[r.Name] = true
		if r.Version == "" {
			l.add(r.Attr.Name, advice{Warning, "no-pin", pinned, `add version = ">= x.y" with the version that the module was made for`}, "provider %q has no version", r.Name)
		}
		if r.Source == "" {
			l.add(r.Attr.Name, advice{Warning, "no-source", "Terraform takes it for hashicorp/" + r.Name, `add source = "namespace/` + r.Name + `"`}, "provider %q has no source", r.Name)
		}
	}
	for _, b := range l.Of("resource", "data") {
		if name := providerOf(b); !have[name] {
			have[name] = true
			l.add(b.At, advice{Warning, "no-pin", pinned, `add it to required_providers with source and version`}, "provider %q is used and not in required_providers", name)
		}
	}
}

// providerOf names the provider of a resource or data source.
func providerOf(b *source.Block) string {
	if a, ok := b.Attrs["provider"]; ok {
		if t := a.Expr.Variables(); len(t) == 1 {
			return t[0].RootName()
		}
		if s, ok := source.Text(a.Expr); ok {
			name, _, _ := strings.Cut(s, ".")
			return name
		}
	}
	name, _, _ := strings.Cut(b.Label(0), "_")
	return name
}

var (
	registrySource = regexp.MustCompile(`^([0-9a-zA-Z.-]+(:\d+)?/)?[0-9A-Za-z_-]+/[0-9A-Za-z_-]+/[0-9a-z]+(//.*)?$`)
	gitSource      = regexp.MustCompile(`^(git::|git@|github\.com/|gitlab\.com/|bitbucket\.org/)|\.git(//|\?|$)`)
)

// sources judges the modules that are called.
func (l *linter) sources() {
	for _, b := range l.Of("module") {
		a, source := b.Attrs["source"], b.Literal("source")
		switch {
		case source == "" || strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../"):
		case gitSource.MatchString(source) && !strings.Contains(source, "ref="):
			l.add(a.All, advice{Error, "no-pin", "whoever may push there decides what runs on the devices", "add ?ref= with a tag or a commit"}, "module %q comes from Git without a ref", b.Label(0))
		case registrySource.MatchString(source) && !gitSource.MatchString(source) && b.Attrs["version"].Expr == nil:
			l.add(a.All, advice{Warning, "no-pin", pinned, `add version`}, "module %q has no version", b.Label(0))
		}
	}
}

// blocks judges blocks that belong into a root module.
func (l *linter) blocks() {
	for _, b := range l.Of("provider") {
		l.add(b.At, advice{Warning, "provider-block", "it wins over the task's terraform_provider, and what the module made cannot be destroyed once the module is gone",
			"remove it and let the task configure the provider"}, "the module configures provider %q itself", b.Label(0))
	}
	for _, t := range l.Of("terraform") {
		for _, b := range append(t.Inner("backend"), t.Inner("cloud")...) {
			l.add(b.At, advice{Warning, "backend-block", "Terraform ignores it in a module, the state is where the driver of Patchbay puts it", "remove it"}, "the module has a %s block", b.Kind)
		}
	}
}
