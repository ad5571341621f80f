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

  validation {
    condition     = alltrue([for name in var.service_names : name != ""])
    error_message = "The service_names may have no empty name."
  }
}

variable "instance_weights" {
  description = "Weight by key of services, where the instance's meta has none; 0 or less takes the instance out."
  type        = map(number)
  default     = {}
}

variable "config_path" {
  description = "Absolute path of the file that this module owns. NGINX must include it, and no other module may write it."
  type        = string
  default     = "/etc/nginx/conf.d/patchbay-upstreams.conf"

  validation {
    condition     = length(regexall("^/([^/[:cntrl:]]+/)*[^./[:cntrl:]][^/[:cntrl:]]*$", var.config_path)) == 1
    error_message = "The config_path must be the absolute path of a file whose name does not start with a dot."
  }
}

variable "nginx_command" {
  description = "Program and first arguments that reach the NGINX to configure; -T and -s reload are added."
  type        = list(string)
  default     = ["nginx"]

  validation {
    condition     = length(var.nginx_command) > 0 && alltrue([for word in var.nginx_command : word != ""])
    error_message = "The nginx_command must name a program, such as [\"nginx\", \"-c\", \"/etc/nginx/edge.conf\"]; no word may be empty."
  }
}

variable "reload_timeout" {
  description = "Seconds to wait for new workers after a reload, and for another run on the same directory."
  type        = number
  default     = 30

  validation {
    condition     = var.reload_timeout >= 1 && var.reload_timeout <= 600 && floor(var.reload_timeout) == var.reload_timeout
    error_message = "The reload_timeout must be a whole number of seconds from 1 to 600."
  }
}

variable "upstream_prefix" {
  description = "Put before the name of each upstream, so that two modules can serve the same service on one NGINX."
  type        = string
  default     = ""

  validation {
    condition     = length(regexall("^[a-z0-9_-]{0,32}$", var.upstream_prefix)) == 1
    error_message = "The upstream_prefix may have up to 32 characters of a-z, 0-9, _ and -."
  }
}

variable "method" {
  description = "Balancing: round_robin, least_conn, ip_hash, random, random two, random two least_conn, hash KEY or hash KEY consistent."
  type        = string
  default     = "round_robin"

  validation {
    condition     = length(regexall("^(round_robin|least_conn|ip_hash|random( two( least_conn)?)?|hash [$A-Za-z0-9_:.-]{1,200}( consistent)?)$", var.method)) == 1
    error_message = "The method must be round_robin, least_conn, ip_hash, random, random two, random two least_conn, hash KEY or hash KEY consistent."
  }
}

variable "max_fails" {
  description = "Failed attempts within fail_timeout after which NGINX leaves a server alone for fail_timeout; 0 never does."
  type        = number
  default     = 1

  validation {
    condition     = var.max_fails >= 0 && var.max_fails <= 10000 && floor(var.max_fails) == var.max_fails
    error_message = "The max_fails must be a whole number from 0 to 10000."
  }
}

variable "fail_timeout" {
  description = "See max_fails: a number with s, m, h or d."
  type        = string
  default     = "10s"

  validation {
    condition     = length(regexall("^[0-9]{1,6}[smhd]?$", var.fail_timeout)) == 1
    error_message = "The fail_timeout must be a number with s, m, h or d, such as 10s."
  }
}

variable "keepalive" {
  description = "Idle connections to the servers of an upstream that each worker keeps; 0 keeps none."
  type        = number
  default     = 0

  validation {
    condition     = var.keepalive >= 0 && var.keepalive <= 10000 && floor(var.keepalive) == var.keepalive
    error_message = "The keepalive must be a whole number from 0 to 10000."
  }
}

variable "allow_host_names" {
  description = "Whether an instance may have a host name as address. NGINX resolves it at each reload and refuses all when it cannot."
  type        = bool
  default     = true
}
