variable "services" {
  description = "Consul service instances by key, as Patchbay and Consul-Terraform-Sync give them."
  type = map(object({
    name         = string
    address      = string
    node_address = optional(string)
    status       = optional(string)
    meta         = optional(map(string))
  }))
}

variable "instance_weights" {
  description = "Weight by key of services. The load balancer knows no weights, but 0 or less takes the instance out of its pool."
  type        = map(number)
  default     = {}
}

variable "backend_address_pool_ids" {
  description = "Id of the backend address pool that each service fills. The pools must exist, on a Standard load balancer, and hold IP addresses, not network interfaces."
  type        = map(string)
  validation {
    condition = alltrue([
      for s, id in var.backend_address_pool_ids : s != "" && can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.Network/loadBalancers/[^/]+/backendAddressPools/[^/]+$", id))
    ])
    error_message = "backend_address_pool_ids must be ids such as \"/subscriptions/…/resourceGroups/…/providers/Microsoft.Network/loadBalancers/edge/backendAddressPools/web\"."
  }
  validation {
    condition     = length(distinct([for id in values(var.backend_address_pool_ids) : lower(id)])) == length(var.backend_address_pool_ids)
    error_message = "backend_address_pool_ids must have a pool of its own for each service: two services in one pool would take each other's addresses out."
  }
}

variable "virtual_network_id" {
  description = "Id of the virtual network that the addresses are in."
  type        = string
  validation {
    condition     = can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.Network/virtualNetworks/[^/]+$", var.virtual_network_id))
    error_message = "virtual_network_id must be an id such as \"/subscriptions/…/resourceGroups/…/providers/Microsoft.Network/virtualNetworks/hub\"."
  }
}

variable "name_prefix" {
  description = "Put before the name of each address in a pool. What has another name there is not the module's."
  type        = string
  default     = "patchbay-"
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$", var.name_prefix))
    error_message = "name_prefix must be 1 to 40 of A-Z, a-z, 0-9, _, . and -, the first of them a letter or digit."
  }
}

variable "ip_family" {
  description = "IPv4 or IPv6: a pool has addresses of one of them."
  type        = string
  default     = "IPv4"
  validation {
    condition     = contains(["IPv4", "IPv6"], var.ip_family)
    error_message = "ip_family must be IPv4 or IPv6."
  }
}

variable "on_empty" {
  description = "What becomes of a pool whose service has no address left: hold (it keeps those that it has now), remove (it is emptied), or refuse (the run fails)."
  type        = string
  default     = "hold"
  validation {
    condition     = contains(["hold", "remove", "refuse"], var.on_empty)
    error_message = "on_empty must be hold, remove or refuse."
  }
}

variable "max_addresses" {
  description = "Most addresses of one pool. Azure changes one at a time, so a plan with more is refused rather than run for hours."
  type        = number
  default     = 100
  validation {
    condition     = var.max_addresses >= 1 && floor(var.max_addresses) == var.max_addresses
    error_message = "max_addresses must be a whole number of 1 or more."
  }
}
