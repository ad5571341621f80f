package config

import (
	"time"

	"patchbay/tasks"
	"patchbay/templates"
	"patchbay/xds/mesh"
)

// Config is a whole configuration with defaults filled in.
type Config struct {
	// LogLevel is TRACE, DEBUG, INFO, WARN or ERR.
	LogLevel string
	// LogFormat is text or json.
	LogFormat string
	// Port of the HTTP API, 0 to 65535; 0 asks the system for a free one.
	Port int
	API  API
	// Syslog gets the log besides standard error.
	Syslog Syslog
	// WorkingDir is the absolute parent of the task directories.
	WorkingDir string
	// ID names this agent, patchbay-<hostname> by default; see Options.Legacy.
	ID string
	// Buffer and Guard are those of tasks that set none.
	Buffer tasks.Buffer
	Guard  tasks.Guard
	Consul Consul
	Driver Driver
	Vault  Vault
	// Providers are all terraform_provider blocks in the order of the files.
	Providers []tasks.Provider
	// Tasks are in the order of the files, with inherited values filled in.
	Tasks []tasks.Task
	// MaxParallelTasks is how many tasks may run at once, at least 1.
	MaxParallelTasks int
	// ShutdownGrace is how long an apply in flight may go on after a stop.
	ShutdownGrace time.Duration
	History       History
	// XDS serves what Mesh declares to Envoys.
	XDS  XDS
	Mesh mesh.Mesh
	// Canaries are in the order of the files, at most one for each service.
	Canaries []Canary
	// Warnings are notes on accepted but doubtful settings, with file and line.
	Warnings []string
}

// API is the listener of the HTTP API.
type API struct {
	// Address is the IP or host name to listen on, 127.0.0.1 by default; "" is all
	// interfaces, the default of Options.Legacy.
	Address string
	// Token, if set, lets a write from another host in: it must bring the token
	// as "Authorization: Bearer".
	Token tasks.Secret
	// AllowRemoteWrites lets every write from another host in.
	AllowRemoteWrites bool
	TLS               ServerTLS
}

// ServerTLS is the API's certificate and whom it trusts.
type ServerTLS struct {
	Enabled bool
	// Cert and Key are PEM files; both or neither.
	Cert, Key string
	// VerifyIncoming requires a client certificate of CACert or of a CA in CAPath.
	VerifyIncoming bool
	CACert, CAPath string
}

// Registration is how the agent registers itself in Consul.
type Registration struct {
	Enabled bool
	// Name is the service's, patchbay by default; Address "" is the Consul agent's.
	Name, Address, Namespace string
	// Check is a health check that Consul makes on CheckAddress, a URL without
	// path; "" is the API's own address on localhost.
	Check        bool
	CheckAddress string
}

// Vault is how to reach Vault for values of provider blocks.
type Vault struct {
	Enabled            bool
	Address, Namespace string
	Token              tasks.Secret
	// TokenFile is written by a Vault agent and beats Token; it is read anew when
	// it changes.
	TokenFile               string
	RenewToken, UnwrapToken bool
	TLS                     TLS
	Transport               Transport
}

// History bounds the runs that are kept per task.
type History struct {
	// Runs is the most runs kept per task, at least 1; Age the longest a run is
	// kept. The newest run of a task is always kept.
	Runs int
	Age  time.Duration
}

// Consul is how to reach Consul.
type Consul struct {
	// Address may have a scheme (http, https, unix) and a path prefix.
	Address string
	Token   tasks.Secret
	// TokenFile beats Token, which is what the file held when the configuration was
	// read; it is read anew when the token is used. "" is none.
	TokenFile string
	Auth      Auth
	TLS       TLS
	Transport Transport
	// Namespace and Partition are the agent's own unless CONSUL_NAMESPACE and
	// CONSUL_PARTITION, which Consul's client library reads too, say otherwise.
	Namespace, Partition string
	// KVPath is the base of the default backend path.
	KVPath string
	// MaxPolls is the most blocking queries open at once.
	MaxPolls     int
	Registration Registration
}

// Auth is HTTP basic authentication.
type Auth struct {
	Enabled  bool
	Username string
	Password tasks.Secret
}

// TLS is how to verify a server and who to be; the paths are absolute.
type TLS struct {
	Enabled                               bool
	Verify                                bool
	CACert, CAPath, Cert, Key, ServerName string
}

// Transport tunes the connections to Consul.
type Transport struct {
	DialKeepAlive, DialTimeout, IdleConnTimeout, TLSHandshakeTimeout time.Duration
	DisableKeepAlives                                                bool
	MaxIdleConns, MaxIdleConnsPerHost                                int
}

// Driver is how to run Terraform.
type Driver struct {
	// Binary is a name or absolute path of terraform or tofu; "" searches PATH
	// for terraform, then tofu.
	Binary string
	// Path is the absolute directory whose terraform is used; "" searches PATH.
	Path string
	// Version is the wanted version; another one found is used with a warning.
	Version string
	// Log copies Terraform's output into the daemon's log; PersistLog keeps a
	// TRACE log in each task's directory.
	Log, PersistLog   bool
	Backend           templates.Backend
	RequiredProviders map[string]templates.RequiredProvider
}
