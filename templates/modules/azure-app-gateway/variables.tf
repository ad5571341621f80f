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

variable "instance_weights" {
  description = "Weight by key of services. A gateway knows no weights, but 0 or less takes the instance out."
  type        = map(number)
  default     = {}
}

variable "mode" {
  description = "dns: a private DNS record per service, for a gateway of yours whose pools name them. gateway: the module owns the whole gateway."
  type        = string
  default     = "dns"
  validation {
    condition     = contains(["dns", "gateway"], var.mode)
    error_message = "mode must be dns or gateway."
  }
}

variable "service_names" {
  description = "Mode dns: services that keep their record, also while none of their instances is known."
  type        = list(string)
  default     = []
  validation {
    condition     = !contains(var.service_names, "")
    error_message = "service_names must have no empty name."
  }
}

variable "private_dns_zone_id" {
  description = "Mode dns: id of the private DNS zone, which must be linked to the gateway's virtual network."
  type        = string
  default     = null
  validation {
    condition     = can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.Network/privateDnsZones/[^/]+$", coalesce(var.private_dns_zone_id, "/subscriptions/x/resourceGroups/x/providers/Microsoft.Network/privateDnsZones/x")))
    error_message = "private_dns_zone_id must be an id such as \"/subscriptions/…/resourceGroups/…/providers/Microsoft.Network/privateDnsZones/corp.internal\"."
  }
}

variable "record_prefix" {
  description = "Mode dns: put before the name of each record. Two tasks in one zone need different ones."
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9-]{0,19})?$", var.record_prefix))
    error_message = "record_prefix must be up to 20 of a-z, 0-9 and -, the first of them no -."
  }
}

variable "record_ttl" {
  description = "Mode dns: seconds for which the gateway keeps an answer; a change takes that long to reach it."
  type        = number
  default     = 10
  validation {
    condition     = var.record_ttl >= 1 && var.record_ttl <= 2147483647 && floor(var.record_ttl) == var.record_ttl
    error_message = "record_ttl must be a whole number of seconds from 1 to 2147483647."
  }
}

variable "overflow" {
  description = "Mode dns: what becomes of a service with more than 20 addresses, which is all that a record takes: refuse, or first (the 20 lowest)."
  type        = string
  default     = "refuse"
  validation {
    condition     = contains(["refuse", "first"], var.overflow)
    error_message = "overflow must be refuse or first."
  }
}

variable "on_empty" {
  description = "Mode dns: what becomes of the record of a service without an instance left: hold (it keeps what it has now, if service_names has the service), remove, or refuse (the run fails)."
  type        = string
  default     = "hold"
  validation {
    condition     = contains(["hold", "remove", "refuse"], var.on_empty)
    error_message = "on_empty must be hold, remove or refuse."
  }
}

variable "gateway" {
  description = "Mode gateway: the gateway that the module owns."
  type = object({
    name                 = string
    resource_group_name  = string
    location             = string
    subnet_id            = string
    public_ip_address_id = string
    private_ip_address   = optional(string)
    sku                  = optional(string, "Standard_v2")
    capacity             = optional(number)
    min_capacity         = optional(number, 1)
    max_capacity         = optional(number, 2)
    zones                = optional(list(string), [])
    identity_ids         = optional(list(string), [])
    firewall_policy_id   = optional(string)
    http2_enabled        = optional(bool, true)
    ssl_policy           = optional(string, "AppGwSslPolicy20220101")
    tags                 = optional(map(string), {})
  })
  default = null
  validation {
    condition     = var.gateway == null ? true : contains(["Standard_v2", "WAF_v2"], var.gateway.sku) && can(regex("^[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$", var.gateway.name))
    error_message = "gateway must have a valid name and the sku Standard_v2 or WAF_v2."
  }
}

variable "certificates" {
  description = "Mode gateway: Key Vault secret id of each certificate, by a name that listeners give. The gateway's identity must be allowed to read them."
  type        = map(string)
  default     = {}
}

variable "listeners" {
  description = "Mode gateway: what the gateway listens on, by name, and the service that answers."
  type = map(object({
    service     = string
    priority    = number
    port        = optional(number)
    certificate = optional(string)
    host_names  = optional(list(string), [])
    private     = optional(bool, false)
  }))
  default = {}
  validation {
    condition = alltrue([
      for name, l in var.listeners : can(regex("^[A-Za-z0-9]([A-Za-z0-9_.-]{0,58}[A-Za-z0-9_])?$", name)) && l.service != "" &&
      l.priority >= 1 && l.priority <= 20000 && floor(l.priority) == l.priority && coalesce(l.port, 1) >= 1 && coalesce(l.port, 1) <= 65535 && length(l.host_names) <= 5
    ])
    error_message = "listeners must have names of up to 60 of A-Z, a-z, 0-9, _, . and -, a service, a priority from 1 to 20000, a port from 1 to 65535 and at most 5 host_names."
  }
  validation {
    condition     = length(distinct([for l in values(var.listeners) : l.priority])) == length(var.listeners)
    error_message = "listeners must have a priority of its own for each."
  }
}

variable "backends" {
  description = "Mode gateway: how the instances of a service are reached, by service."
  type = map(object({
    port          = optional(number)
    protocol      = optional(string, "Http")
    host_name     = optional(string)
    path          = optional(string, "/")
    interval      = optional(number, 30)
    timeout       = optional(number, 30)
    drain_seconds = optional(number, 60)
    affinity      = optional(bool, false)
  }))
  default = {}
  validation {
    condition = alltrue([
      for b in values(var.backends) : contains(["Http", "Https"], b.protocol) && coalesce(b.port, 1) >= 1 && coalesce(b.port, 1) <= 65535 &&
      b.interval >= 1 && b.interval <= 86400 && b.timeout >= 1 && b.timeout <= 86400 && b.drain_seconds >= 0 && b.drain_seconds <= 3600 && startswith(b.path, "/")
    ])
    error_message = "backends must have the protocol Http or Https, a port from 1 to 65535, an interval and a timeout from 1 to 86400, drain_seconds from 0 to 3600 and a path that starts with /."
  }
}
