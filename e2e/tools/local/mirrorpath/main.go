// Command mirrorpath prints the directories, below a filesystem mirror, in which
// Terraform and OpenTofu look for a version of one of HashiCorp's providers:
//
//	mirrorpath local 2.9.0
package main

import (
	"fmt"
	"os"
	"runtime"

	terraform "github.com/hashicorp/terraform-registry-address"
	opentofu "github.com/opentofu/registry-address/v2"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: mirrorpath PROVIDER VERSION")
		os.Exit(2)
	}
	for _, host := range []string{terraform.DefaultProviderRegistryHost.String(), opentofu.DefaultProviderRegistryHost.String()} {
		fmt.Printf("%s/hashicorp/%s/%s/%s_%s\n", host, os.Args[1], os.Args[2], runtime.GOOS, runtime.GOARCH)
	}
}
