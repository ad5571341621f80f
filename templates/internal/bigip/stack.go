package bigip

import (
	"fmt"
	"strings"
	"testing"

	"patchbay/templates/internal/bigip/provider"
	"patchbay/templates/internal/moduletest"
	"patchbay/templates/internal/standin"
)

// Basic are the lines of a provider block that opens no session of its own.
var Basic = []string{fmt.Sprintf("username = %q", User), fmt.Sprintf("password = %q", Password), "token_auth = false"}

// Stack makes a root module that calls a shipped module with the provider of BIG-IP,
// which makes the real provider's calls to d. block are lines of HCL for its block,
// beside the address, or nil for [Basic]; arguments are lines for the module block. The
// stand-in is given too, for faults between Terraform and provider.
func Stack(tb testing.TB, d *Device, module string, block []string, arguments ...string) (*moduletest.Stack, *standin.Server) {
	tb.Helper()
	if block == nil {
		block = Basic
	}
	server := standin.Start(tb, provider.BigIP())
	s := moduletest.Bare(tb, module, arguments...)
	s.Write(tb, "provider.tf", []byte(fmt.Sprintf("terraform {\n  required_providers {\n    bigip = {\n      source = \"f5networks/bigip\"\n    }\n  }\n}\nprovider \"bigip\" {\n  address = %q\n  %s\n}\n",
		d.URL, strings.Join(block, "\n  "))))
	s.Env = append(s.Env, standin.Reattach(server))
	s.Init(tb)
	return s, server
}
