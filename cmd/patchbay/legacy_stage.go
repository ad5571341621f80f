package main

import "strings"

// The stages in which Consul-Terraform-Sync reads a configuration, as its log names
// them: files become one tree, what is not set is filled in, the whole is judged.
const (
	building   = "building"
	finalizing = "finalizing"
	validating = "validating"
)

// laterStages are beginnings of what the configuration's mistakes of the later stages
// say; a mistake that begins with none of them is one of building.
var laterStages = map[string][]string{
	finalizing: {
		"cannot read variable file", "a variable file holds", "variable ", "id is empty",
	},
	validating: {
		"Invalid log level", "buffer_period: cannot be negative", "key and cert are required", "cannot read cert", "cannot read key",
		"cannot use cert and key", "cannot read ca_cert", "ca_cert holds no certificate", "either ca_cert or ca_path is required",
		"service_name is empty", "default check address must include scheme", "vault is enabled without", "the address of Vault",
		"provide the exact Terraform version", "unsupported Terraform backend", "the http backend",
		"unique name for the task", "a task name must start", "duplicate task name", "tasks ", "module ", "no module ", "cannot read module",
		"only one provider instance per task", "no terraform_provider block is", "providers holds an empty name",
		"either the regexp or names", "regexp and names fields", "names field includes",
		"unable to compile", "unable to use the services filter", "catalog-services 'regexp' field", "path is required for consul-kv",
		"cron config is required", "unable to parse cron", "more than one 'module_input' block", "task's condition block and module_input",
		"service name is required", "unique service IDs are required", "services and a \"services\" block", "services includes an empty name",
		"duplicate provider configuration", "dynamic configuration using template syntax", "detected dynamic configuration using Vault",
		"alias is not a name", "detected panos provider", "fake-sync provider",
	},
}

// stage tells in which stage Consul-Terraform-Sync would have met a configuration's
// mistakes first.
func stage(err error) string {
	first := validating
	for _, p := range problems(err) {
		switch stageOf(p.What) {
		case building:
			return building
		case finalizing:
			first = finalizing
		}
	}
	return first
}

func stageOf(what string) string {
	for s, list := range laterStages {
		for _, begin := range list {
			if strings.HasPrefix(what, begin) {
				return s
			}
		}
	}
	return building
}
