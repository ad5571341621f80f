package templates

import "github.com/hashicorp/go-version"

const (
	// ctsVersions are the versions that Consul-Terraform-Sync 0.9 supports. It
	// writes them into every root module.
	ctsVersions = ">= 0.13.0, <= 1.14.3"
	// newestOfCTS is the last of them.
	newestOfCTS = "1.14.3"
	// anyVersion is for those that came later.
	anyVersion = ">= 0.13.0"
)

// RequiredVersion gives the constraint on Terraform that the executable in use
// fulfils: as Consul-Terraform-Sync writes it up to 1.14.3, so that its files stay
// as they are, and without an upper end for a later one. The found version is that
// of Terraform or of OpenTofu, such as 1.11.4 or 1.12.6-dev; like them it is
// compared without what follows the three numbers. "" stands for no executable.
func RequiredVersion(found string) string {
	if found == "" {
		return ctsVersions
	}
	v, err := version.NewVersion(found)
	if err != nil || v.Core().GreaterThan(version.Must(version.NewVersion(newestOfCTS))) {
		return anyVersion
	}
	return ctsVersions
}
