// Package standin serves stand-ins of Terraform providers from the process of a test:
// the schema as the real provider has it, for what the shipped modules use, and the real
// provider's calls to a device that the test has at hand. It keeps one promise: what
// Terraform refuses of the real provider's schema, and what it plans by it, it refuses
// and plans here too. In goes a [Provider]; out comes a line of environment that a
// moduletest.Stack is run with:
//
//	server := standin.Start(t, standin.Provider{
//		Source: "f5networks/bigip",
//		Schema: standin.BigIP(),
//		Configure: func(ctx context.Context, config standin.Object) (standin.Calls, error) {
//			s := login(config.String("address"), config.String("username"))
//			return standin.Calls{"bigip_ltm_pool": {Create: s.createPool, Read: s.readPool, Update: s.updatePool, Delete: s.deletePool}}, nil
//		},
//	})
//	stack := moduletest.Bare(t, "f5-pool", `pools = { web = "/shop/web/web_pool" }`)
//	stack.Env = append(stack.Env, standin.Reattach(server))
//	stack.Init(t)
//	server.Inject(standin.Fault{Call: "create", Resource: "bigip_ltm_pool", After: errors.New("connection reset")})
//
// The calls of a resource live beside the stand-in of their device. [Server.Inject]
// breaks them by name, [Server.Count] tells how many there were.
//
// # Design
//
// One generic server reads a table of attributes (*.schema), so that a resource more is
// a few lines of text, and a test compares those with the provider's own schema where
// it is at hand. It behaves as the provider SDK that the real ones are built on: nulls
// and zero values of optional arguments are one, a failed update leaves the planned
// values in the state. A provider for each test with hand-written types was refused: it
// would prove what its author remembered of the real one.
package standin
