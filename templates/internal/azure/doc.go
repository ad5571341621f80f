// Package azure is a stand-in of Azure Resource Manager (ARM) for tests, and the calls
// that the azurerm provider makes to it. It keeps one promise: what ARM refuses of what
// the shipped modules send, it refuses too, with ARM's shape of an error. In go PUT, GET
// and DELETE requests over TLS, with a token, for what the modules touch: IP groups,
// network security groups and their rules, backend pools of load balancers, private DNS
// records, application gateways and the configuration of a managed NGINX. Out come the
// objects as ARM holds them, and the list of all requests:
//
//	arm := azure.Start(t)
//	arm.Seed(azure.ID("Microsoft.Network/networkSecurityGroups/edge"), azure.Body{"location": "westeurope"})
//	provider := standin.Start(t, provider.New(arm))
//	arm.Inject(azure.Fault{Method: "PUT", Path: "/ipGroups/", Status: 429, RetryAfter: 1})
//
// [Server.Env] is what the real azurerm provider needs in order to work against it.
//
// # Design
//
// Objects are JSON documents by id and each kind has one function that judges a document,
// so that a kind more is one function, and what a test reads is what was sent. Typed
// models of Azure's SDK were refused: they drop what they do not know, and so would hide
// a mistake. Where ARM's exact rule is not documented the stricter one is taken.
package azure
