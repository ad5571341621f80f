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
  description = "Services whose upstream is managed also while none of their instances is known: it is emptied then."
  type        = list(string)
  default     = []
}

variable "instance_weights" {
  description = "Weight by key of services, where the instance's meta has none; 0 or less drains the instance."
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

variable "api_urls" {
  description = "Addresses of the NGINX Plus API without version, such as https://plus-1:8443/api; every one is given the same servers."
  type        = list(string)
}

variable "credentials_file" {
  description = "Absolute path of a curl configuration file (curl -K) with the credentials; empty for none. README.md shows the lines."
  type        = string
  default     = ""
}

variable "context" {
  description = "Where NGINX has the upstreams: http, or stream for TCP and UDP services."
  type        = string
  default     = "http"
}

variable "upstreams" {
  description = "Name of the upstream by service, where it is not the service's own name."
  type        = map(string)
  default     = {}
}

variable "ledger_dir" {
  description = "Absolute path of a directory where the module notes the servers that it made, so that it touches no others; empty when the upstreams are its own altogether."
  type        = string
  default     = ""
}

variable "drain_seconds" {
  description = "Seconds to wait for the connections of a server that is drained before it is removed; 0 removes at once."
  type        = number
  default     = 10
}

variable "remove_busy" {
  description = "Whether a server that is still busy after drain_seconds is removed; else it stays draining until the next change of its upstream."
  type        = bool
  default     = false
}

variable "request_timeout" {
  description = "Seconds within which the API must answer each request."
  type        = number
  default     = 30
}

variable "max_conns" {
  description = "Connections to a server at the same time; 0 sets no bound."
  type        = number
  default     = 0
}

variable "max_fails" {
  description = "Failed attempts within fail_timeout after which NGINX leaves a server alone for fail_timeout; 0 never does."
  type        = number
  default     = 1
}

variable "fail_timeout" {
  description = "See max_fails: a number with s, m, h or d."
  type        = string
  default     = "10s"
}

variable "slow_start" {
  description = "Time in which a server that comes back grows to its weight: a number with s, m, h or d; 0s gives it at once."
  type        = string
  default     = "0s"
}

variable "allow_host_names" {
  description = "Whether an instance may have a host name as address. NGINX needs a resolver for it."
  type        = bool
  default     = false
}
