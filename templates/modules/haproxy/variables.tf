variable "services" {
  description = "Consul service instances by key, as Patchbay and Consul-Terraform-Sync give them."
  type = map(object({
    name                  = string
    address               = string
    port                  = number
    node_address          = optional(string)
    status                = optional(string)
    meta                  = optional(map(string))
    cts_user_defined_meta = optional(map(string))
  }))
}

variable "service_names" {
  description = "Services that must always have a backend, also while none of their instances is known."
  type        = list(string)
  default     = []
}

variable "instance_weights" {
  description = "Weight by key of services, where the instance's meta has none; 0 or less takes no new traffic."
  type        = map(number)
  default     = {}
}

variable "canary_weights" {
  description = "Percent of each subset of a service that has a canary, as Patchbay gives them."
  type        = map(map(number))
  default     = {}
}

variable "canary_meta" {
  description = "Name of the meta value that tells an instance's subset."
  type        = string
  default     = "version"
}

variable "canary_subsets" {
  description = "Subset by that meta value, where the two are not the same text."
  type        = map(string)
  default     = {}
}

variable "config_path" {
  description = "Absolute path of the file that this module owns. HAProxy must be started with it, and no other module may write it."
  type        = string
  default     = "/etc/haproxy/patchbay.cfg"
}

variable "haproxy_command" {
  description = "Program and all its -f arguments as HAProxy is started with them, config_path or its directory among them; -c is added to check."
  type        = list(string)
  default     = ["haproxy", "-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/haproxy/patchbay.cfg"]
}

variable "master_socket" {
  description = "Socket of HAProxy's master (its option -S): the path of a unix socket, or HOST:PORT."
  type        = string
  default     = "/run/haproxy-master.sock"
}

variable "stats_socket" {
  description = "Stats socket with level admin that members are changed by; empty for the master socket."
  type        = string
  default     = ""
}

variable "reload_timeout" {
  description = "Seconds to wait for the new worker after a reload, and for another run on the same directory."
  type        = number
  default     = 30
}

variable "backend_prefix" {
  description = "Put before the name of each backend, so that two modules can serve the same service on one HAProxy."
  type        = string
  default     = ""
}

variable "defaults_from" {
  description = "Name of the defaults section that the backends take; empty for the last one that HAProxy reads before config_path."
  type        = string
  default     = ""
}

variable "mode" {
  description = "http or tcp; empty for that of the defaults section."
  type        = string
  default     = ""
}

variable "balance" {
  description = "Balancing: roundrobin, leastconn, first, random, random(N), source, uri, hdr(NAME) or url_param NAME; the last four hash consistently."
  type        = string
  default     = "roundrobin"
}

variable "check" {
  description = "HAProxy's own checks beside Consul's: none, tcp, or the path of an HTTP check."
  type        = string
  default     = "none"
}

variable "server_options" {
  description = "More options of every server, such as maxconn 200 slowstart 10s."
  type        = string
  default     = ""
}

variable "backend_lines" {
  description = "More lines of every backend, such as option redispatch."
  type        = list(string)
  default     = []
}

variable "service_lines" {
  description = "More lines of the backend of one service, by name of the service."
  type        = map(list(string))
  default     = {}
}

variable "spare_slots" {
  description = "Servers without an instance that a backend gets when its size is set, so that it can grow without a reload; a quarter of its instances where that is more."
  type        = number
  default     = 10
}

variable "allow_host_names" {
  description = "Whether an instance may have a host name as address. HAProxy resolves it at each reload only, and needs a reload to take it."
  type        = bool
  default     = true
}
