package config

import (
	"strings"
	"testing"
)

func TestProvidersWithStepsAfterAnApplyKeepTheContract(t *testing.T) {
	provider := func(line string) string { return block(`terraform_provider "p"`, line) }
	fake := func(lines string) string { return block(`terraform_provider "fake-sync"`, lines) + "\n" }
	const commit = "terraform_provider \"panos\" {\n username = \"u\"\n auto_commit = true\n}\n"
	checkRows(t, map[string]row{
		"auto_commit":                    {good: `terraform_provider "panos" { auto_commit = true }`, want: `Providers[0].Arguments.auto_commit = true`, bad: provider(`auto_commit = "often"`), told: "auto_commit must be a boolean"},
		"auto_commit false":              {good: provider(`auto_commit = false`), want: `Providers[0].Name = "p"`, bad: provider(`auto_commit = []`), told: "auto_commit must be a boolean"},
		"auto_commit of other providers": {good: provider(`auto_commit = true`), want: "Warnings: auto_commit does nothing here", bad: provider(`auto_commit = {}`), told: "auto_commit must be a boolean"},
		"auto_commit serves one task": {good: commit + inTask(`providers = ["panos"]`), want: `Tasks[0].Providers = ["panos"]`,
			bad:  commit + inTask(`providers = ["panos"]`) + "\n" + strings.Replace(inTask(`providers = ["panos"]`), `"t"`, `"u"`, 1),
			told: "provider with autocommit (panos) cannot be used by more than one task"},
		"panos needs a username": {good: "terraform_provider \"panos\" { username = \"u\" }\n" + inTask(`providers = ["panos"]`), want: `Tasks[0].Providers = ["panos"]`,
			bad: inTask(`providers = ["panos"]`), told: "detected panos provider with missing username"},
		"panos username by env": {good: inTask(`providers = ["panos"]`), env: "PANOS_USERNAME=u", want: `Tasks[0].Providers = ["panos"]`,
			bad: "terraform_provider \"panos\" { username = \"\" }\n" + inTask(`providers = ["panos"]`), told: "detected panos provider with missing username"},
		"fake-sync needs a name": {good: fake(`name = "x"`) + inTask(`providers = ["fake-sync"]`), want: `Providers[0].Arguments.name = "x"`,
			bad: fake(`err = true`) + inTask(`providers = ["fake-sync"]`), told: "fake-sync provider with missing name"},
		"fake-sync err": {good: fake("name = \"x\"\n err = true") + inTask(`providers = ["fake-sync"]`), want: `Providers[0].Arguments.err = true`,
			bad: fake("name = \"x\"\n err = \"yes\"") + inTask(`providers = ["fake-sync"]`), told: "err must be a boolean"},
		"fake-sync success_first": {good: fake("name = \"x\"\n success_first = true") + inTask(`providers = ["fake-sync"]`), want: `Providers[0].Arguments.success_first = true`,
			bad: fake("name = \"x\"\n success_first = 1") + inTask(`providers = ["fake-sync"]`), told: "success_first must be a boolean"},
	})
}
