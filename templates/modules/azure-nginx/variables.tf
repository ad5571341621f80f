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
    condition     = !contains(var.service_names, "")
    error_message = "service_names must have no empty name."
  }
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

variable "upstream_prefix" {
  description = "Put before the name of each upstream, so that two modules can serve the same service on one NGINX."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^[a-z0-9_-]*$", var.upstream_prefix))
    error_message = "upstream_prefix must be of a-z, 0-9, _ and -."
  }
}

variable "method" {
  description = "Balancing: round_robin, least_conn, ip_hash, random, random two, random two least_conn, hash KEY or hash KEY consistent."
  type        = string
  default     = "round_robin"
  validation {
    condition     = can(regex("^(round_robin|least_conn|ip_hash|random( two( least_conn)?)?|hash [$A-Za-z0-9_:.-]+( consistent)?)$", var.method))
    error_message = "method must be round_robin, least_conn, ip_hash, random, random two, random two least_conn, hash KEY or hash KEY consistent."
  }
}

variable "max_fails" {
  description = "Failed attempts within fail_timeout after which NGINX leaves a server alone for fail_timeout; 0 never does."
  type        = number
  default     = 1
  validation {
    condition     = can(regex("^[0-9]{1,4}$", var.max_fails))
    error_message = "max_fails must be a whole number from 0 to 9999."
  }
}

variable "fail_timeout" {
  description = "See max_fails: a number with s, m, h or d."
  type        = string
  default     = "10s"
  validation {
    condition     = can(regex("^[0-9]{1,6}[smhd]?$", var.fail_timeout))
    error_message = "fail_timeout must be a number with s, m, h or d, such as 10s."
  }
}

variable "keepalive" {
  description = "Idle connections to the servers of an upstream that each worker keeps; 0 keeps none."
  type        = number
  default     = 0
  validation {
    condition     = can(regex("^[0-9]{1,4}$", var.keepalive))
    error_message = "keepalive must be a whole number from 0 to 9999."
  }
}

variable "allow_host_names" {
  description = "Whether an instance may have a host name as address. NGINX resolves it at each reload and refuses all when it cannot."
  type        = bool
  default     = true
}

variable "nginx_deployment_id" {
  description = "Id of the NGINX deployment (NGINX as a Service) whose whole configuration the module owns."
  type        = string
  validation {
    condition     = can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Nginx\\.NginxPlus/nginxDeployments/[^/]+$", var.nginx_deployment_id))
    error_message = "nginx_deployment_id must be an id such as \"/subscriptions/…/resourceGroups/…/providers/Nginx.NginxPlus/nginxDeployments/edge\"."
  }
}

variable "root_file" {
  description = "The file that NGINX begins to read; one of config_files."
  type        = string
  default     = "/etc/nginx/nginx.conf"
}

variable "config_files" {
  description = "Your own files by absolute path: at least root_file, which includes upstreams_path."
  type        = map(string)
  validation {
    condition     = alltrue([for path, content in var.config_files : content != "" && can(regex("^/(etc/nginx|opt|srv|var/www)(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$", path))])
    error_message = "config_files must be text by absolute path below /etc/nginx, /opt, /srv or /var/www, and none of it empty: Azure lets NGINX have no other files."
  }
}

variable "protected_files" {
  description = "Files as config_files that nobody can read back from Azure, such as keys. They are in Terraform's state."
  type        = map(string)
  default     = {}
  sensitive   = true
  validation {
    condition     = alltrue([for path, content in var.protected_files : content != "" && can(regex("^/(etc/nginx|opt|srv|var/www)(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$", path))])
    error_message = "protected_files must be text by absolute path below /etc/nginx, /opt, /srv or /var/www, and none of it empty."
  }
}

variable "upstreams_path" {
  description = "The file with the upstreams, which the module adds to yours."
  type        = string
  default     = "/etc/nginx/conf.d/patchbay-upstreams.conf"
  validation {
    condition     = can(regex("^/etc/nginx(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$", var.upstreams_path))
    error_message = "upstreams_path must be the absolute path of a file below /etc/nginx."
  }
}
