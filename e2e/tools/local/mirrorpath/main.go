// Command mirrorpath prints the directories, below a filesystem mirror, in which
// Terraform and OpenTofu look for version 2.9.0 of the hashicorp/local provider.
package main

import (
	"fmt"
	"runtime"

	terraform "github.com/hashicorp/terraform-registry-address"
	opentofu "github.com/opentofu/registry-address/v2"
)

func main() {
	for _, host := range []string{terraform.DefaultProviderRegistryHost.String(), opentofu.DefaultProviderRegistryHost.String()} {
		fmt.Printf("%s/hashicorp/local/2.9.0/%s_%s\n", host, runtime.GOOS, runtime.GOARCH)
	}
}
