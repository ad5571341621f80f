variable "services" {
  description = "Consul service instances by key, as Patchbay and Consul-Terraform-Sync give them."
  type = map(object({
    name         = string
    address      = string
    port         = number
    node_address = optional(string)
    status       = optional(string)
    meta         = optional(map(string))
  }))
}

variable "pools" {
  description = "Pool by name of service, such as { web = \"/shop/web/web_pool\" }: tenant, application and pool of AS3 with mode event, the pool's full path with mode ltm. Also ~shop~web~web_pool is understood."
  type        = map(string)

  validation {
    condition     = length(var.pools) > 0 && alltrue([for p in values(var.pools) : can(regex("^[/~][A-Za-z0-9_.-]{1,190}([/~][A-Za-z0-9_.-]{1,190}){1,2}$", p))])
    error_message = "Name at least one pool, each as /partition/pool or /tenant/application/pool of A-Z a-z 0-9 _ . and -."
  }
}

variable "mode" {
  description = "event: AS3 owns the pools (a member with addressDiscovery event) and this module their list of nodes. ltm: this module owns the pools and their members."
  type        = string
  default     = "event"

  validation {
    condition     = contains(["event", "ltm"], var.mode)
    error_message = "The mode must be event or ltm."
  }
}

variable "on_empty" {
  description = "What becomes of a pool when no instance is left that takes traffic. keep: it keeps the members it had. refuse: the run fails and changes nothing. remove: its members are removed (mode ltm alone)."
  type        = string
  default     = "keep"

  validation {
    condition     = contains(["keep", "refuse", "remove"], var.on_empty)
    error_message = "on_empty must be keep, refuse or remove."
  }
}

variable "drain" {
  description = "Mode ltm: a member whose instance is gone is disabled first and removed by the next run; false removes it at once."
  type        = bool
  default     = true
}

variable "memory_file" {
  description = "Where the module remembers the members of its last run, for on_empty = keep and for drain: a path, taken from the root module's directory."
  type        = string
  default     = ".f5-pool.json"

  validation {
    condition     = can(regex("^[^[:cntrl:]]*[^/[:cntrl:]]$", var.memory_file))
    error_message = "memory_file must be the path of a file."
  }
}

variable "instance_weights" {
  description = "Mode ltm: ratio by key of services, where the instance's meta has no weight; 0 or less disables the member."
  type        = map(number)
  default     = {}
}

variable "canary_weights" {
  description = "Mode ltm: percent of each subset of a service that has a canary, as Patchbay gives them."
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

variable "load_balancing_mode" {
  description = "Mode ltm: how the pools balance. The ratio-... modes alone heed weights; ratio-member with equal weights is round-robin."
  type        = string
  default     = "ratio-member"

  validation {
    condition = contains([
      "round-robin", "ratio-member", "ratio-node", "ratio-session", "ratio-least-connections-member", "ratio-least-connections-node",
      "dynamic-ratio-member", "dynamic-ratio-node", "fastest-app-response", "fastest-node", "least-connections-member", "least-connections-node",
      "least-sessions", "observed-member", "observed-node", "predictive-member", "predictive-node",
      "weighted-least-connections-member", "weighted-least-connections-node",
    ], var.load_balancing_mode)
    error_message = "load_balancing_mode must be one that a BIG-IP has, such as round-robin, ratio-member or least-connections-member."
  }
}

variable "monitors" {
  description = "Mode ltm: full paths of the health monitors of the pools."
  type        = set(string)
  default     = ["/Common/tcp"]
}
