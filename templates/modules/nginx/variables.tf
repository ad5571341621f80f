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
  description = "Services that must always have an upstream, also while none of their instances is known."
  type        = list(string)
  default     = []
}

variable "instance_weights" {
  description = "Weight by key of services, where the instance's meta has none; 0 or less takes the instance out."
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
  description = "Absolute path of the file that this module owns. NGINX must include it where context says, and no other module may write it."
  type        = string
  default     = "/etc/nginx/conf.d/patchbay-upstreams.conf"
}

variable "context" {
  description = "Where NGINX includes the file: http, or stream for TCP and UDP services."
  type        = string
  default     = "http"
}

variable "template" {
  description = "Path of a Terraform template that writes the file in place of the module; empty for none. README.md tells what it gets."
  type        = string
  default     = ""
}

variable "hosts" {
  description = "Machines whose NGINX is configured over SSH, by a name for messages; with none, NGINX is on the machine that runs Terraform."
  type = map(object({
    address          = string
    user             = string
    key_file         = string
    known_hosts_file = string
    port             = optional(number, 22)
    sudo             = optional(bool, false)
  }))
  default = {}
}

variable "ssh_config" {
  description = "Path of an OpenSSH client configuration to read, such as one with a ProxyJump; the user's own is not read."
  type        = string
  default     = "/dev/null"
}

variable "connect_timeout" {
  description = "Seconds within which a machine of hosts must answer."
  type        = number
  default     = 10
}

variable "nginx_command" {
  description = "Program and first arguments that reach the NGINX to configure; -T and -s reload are added."
  type        = list(string)
  default     = ["nginx"]
}

variable "reload_timeout" {
  description = "Seconds to wait for new workers after a reload, and for another run on the same directory."
  type        = number
  default     = 30
}

variable "upstream_prefix" {
  description = "Put before the name of each upstream, so that two modules can serve the same service on one NGINX."
  type        = string
  default     = ""
}

variable "method" {
  description = "Balancing: round_robin, least_conn, ip_hash, random, random two, random two least_conn, hash KEY or hash KEY consistent."
  type        = string
  default     = "round_robin"
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

variable "keepalive" {
  description = "Idle connections to the servers of an upstream that each worker keeps; 0 keeps none."
  type        = number
  default     = 0
}

variable "allow_host_names" {
  description = "Whether an instance may have a host name as address. NGINX resolves it at each reload and refuses all when it cannot."
  type        = bool
  default     = true
}
