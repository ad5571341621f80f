package main

// The names under which the program answers.
const (
	ownName    = "patchbay"
	legacyName = "consul-terraform-sync"
)

// name is the program's, as usage texts have it.
func (c *cli) name() string {
	if c.legacy {
		return legacyName
	}
	return ownName
}

// product is the name in sentences.
func (c *cli) product() string {
	if c.legacy {
		return "Consul-Terraform-Sync"
	}
	return "Patchbay"
}

// short is the product's short name.
func (c *cli) short() string {
	if c.legacy {
		return "CTS"
	}
	return "Patchbay"
}
