package config

import (
	"time"

	"patchbay/tasks"
	"patchbay/templates"
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
	// WorkingDir is the absolute parent of the task directories.
	WorkingDir string
	// ID names this agent, patchbay-<hostname> by default.
	ID     string
	Buffer tasks.Buffer
	Consul Consul
	Driver Driver
	// Providers are all terraform_provider blocks in the order of the files.
	Providers []tasks.Provider
	// Tasks are in the order of the files, with inherited values filled in.
	Tasks []tasks.Task
	// MaxParallelTasks is how many tasks may run at once, at least 1.
	MaxParallelTasks int
	// ShutdownGrace is how long an apply in flight may go on after a stop.
	ShutdownGrace time.Duration
	History       History
	// Warnings are notes on accepted but doubtful settings, with file and line.
	Warnings []string
}

// API is the listener of the HTTP API.
type API struct {
	// Address is the IP or host name to listen on, 127.0.0.1 by default.
	Address string
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
	Address   string
	Token     tasks.Secret
	Auth      Auth
	TLS       TLS
	Transport Transport
	// Namespace and Partition are the agent's own unless CONSUL_NAMESPACE and
	// CONSUL_PARTITION, which Consul's client library reads too, say otherwise.
	Namespace, Partition string
	// KVPath is the base of the default backend path.
	KVPath string
	// MaxPolls is the most blocking queries open at once over plain HTTP.
	MaxPolls int
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
