variable "services" {
  description = "Consul service instances by key, as Patchbay and Consul-Terraform-Sync give them."
  type = map(object({
    name         = string
    address      = string
    port         = number
    node_address = optional(string)
  }))
}

variable "service_names" {
  description = "Services that keep their rule, also while none of their instances is known."
  type        = list(string)
  default     = []
  validation {
    condition     = !contains(var.service_names, "")
    error_message = "service_names must have no empty name."
  }
}

variable "resource_group_name" {
  description = "Resource group of the network security group."
  type        = string
  validation {
    condition     = can(regex("^[-\\w._()]{0,89}[-\\w_()]$", var.resource_group_name))
    error_message = "resource_group_name must be the name of a resource group, such as \"network\"."
  }
}

variable "network_security_group_name" {
  description = "The network security group that gets the rules. It must exist; rules that are not the module's stay as they are."
  type        = string
  validation {
    condition     = can(regex("^\\w([\\w.-]{0,78}\\w)?$", var.network_security_group_name))
    error_message = "network_security_group_name must be the name of a network security group."
  }
}

variable "rule_prefix" {
  description = "Put before the name of each rule. Two tasks on one network security group need different ones."
  type        = string
  default     = "patchbay-"
  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}$", var.rule_prefix))
    error_message = "rule_prefix must be 1 to 40 of A-Z, a-z, 0-9, _, . and -, the first of them no . or -."
  }
}

variable "members" {
  description = "Where a rule has the instances: source or destination."
  type        = string
  default     = "destination"
  validation {
    condition     = contains(["source", "destination"], var.members)
    error_message = "members must be source or destination."
  }
}

variable "peers" {
  description = "The other side: one of *, a service tag, or addresses and CIDR blocks."
  type        = list(string)
  default     = ["VirtualNetwork"]
  validation {
    condition     = length(var.peers) == 1 || length(var.peers) > 1 && alltrue([for p in var.peers : can(cidrhost(p, 0)) || can(cidrhost("${p}/32", 0)) || can(cidrhost("${p}/128", 0))])
    error_message = "peers must be one of *, a service tag, an address or a CIDR block, or a list of addresses and CIDR blocks: Azure takes no list of tags."
  }
}

variable "ports" {
  description = "Destination ports and ranges, such as [\"443\", \"8000-8099\"], or [\"*\"]. Empty: the ports of the instances, where those are the destination."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for p in var.ports : can(regex("^[0-9]{1,5}(-[0-9]{1,5})?$", p)) && alltrue([for n in split("-", p) : try(tonumber(n) <= 65535, false)])]) || join("", var.ports) == "*"
    error_message = "ports must be ports and ranges, such as [\"443\", \"8000-8099\"], or [\"*\"] alone."
  }
}

variable "protocol" {
  description = "Tcp, Udp, Icmp, Esp, Ah or *."
  type        = string
  default     = "Tcp"
  validation {
    condition     = contains(["Tcp", "Udp", "Icmp", "Esp", "Ah", "*"], var.protocol)
    error_message = "protocol must be Tcp, Udp, Icmp, Esp, Ah or *."
  }
}

variable "direction" {
  description = "Inbound or Outbound."
  type        = string
  default     = "Inbound"
  validation {
    condition     = contains(["Inbound", "Outbound"], var.direction)
    error_message = "direction must be Inbound or Outbound."
  }
}

variable "access" {
  description = "Allow or Deny."
  type        = string
  default     = "Allow"
  validation {
    condition     = contains(["Allow", "Deny"], var.access)
    error_message = "access must be Allow or Deny."
  }
}

variable "rules" {
  description = "What differs for single services, by name. A priority that is given here is never chosen by the module."
  type = map(object({
    members   = optional(string)
    peers     = optional(list(string))
    ports     = optional(list(string))
    protocol  = optional(string)
    direction = optional(string)
    access    = optional(string)
    priority  = optional(number)
  }))
  default = {}
  validation {
    condition = !contains(keys(var.rules), "") && alltrue([
      for r in values(var.rules) : (
        contains(["source", "destination"], coalesce(r.members, "source")) &&
        contains(["Tcp", "Udp", "Icmp", "Esp", "Ah", "*"], coalesce(r.protocol, "*")) &&
        contains(["Inbound", "Outbound"], coalesce(r.direction, "Inbound")) &&
        contains(["Allow", "Deny"], coalesce(r.access, "Allow")) &&
        coalesce(r.priority, 100) >= 100 && coalesce(r.priority, 100) <= 4096 && floor(coalesce(r.priority, 100)) == coalesce(r.priority, 100) &&
        (r.peers == null ? true : length(r.peers) == 1 || length(r.peers) > 1 && alltrue([
          for p in r.peers : can(cidrhost(p, 0)) || can(cidrhost("${p}/32", 0)) || can(cidrhost("${p}/128", 0))
        ])) &&
        (r.ports == null ? true : join("", r.ports) == "*" || length(r.ports) > 0 && alltrue([
          for p in r.ports : can(regex("^[0-9]{1,5}(-[0-9]{1,5})?$", p)) && alltrue([for n in split("-", p) : try(tonumber(n) <= 65535, false)])
        ]))
      )
    ])
    error_message = "rules must have what the variables members, peers, ports, protocol, direction and access may have, and a priority from 100 to 4096."
  }
}

variable "base_priority" {
  description = "First priority that the module gives to a rule."
  type        = number
  default     = 2000
  validation {
    condition     = var.base_priority >= 100 && var.base_priority <= 4096 && floor(var.base_priority) == var.base_priority
    error_message = "base_priority must be a whole number from 100 to 4096."
  }
}

variable "slots" {
  description = "How many priorities from base_priority on the module may give."
  type        = number
  default     = 500
  validation {
    condition     = var.slots >= 1 && var.slots <= 1000 && floor(var.slots) == var.slots
    error_message = "slots must be a whole number from 1 to 1000."
  }
}

variable "ip_family" {
  description = "IPv4 or IPv6: a rule has addresses of one of them."
  type        = string
  default     = "IPv4"
  validation {
    condition     = contains(["IPv4", "IPv6"], var.ip_family)
    error_message = "ip_family must be IPv4 or IPv6."
  }
}

variable "on_empty" {
  description = "What becomes of a rule whose service has no address left: hold (it keeps those that it has now), remove, or refuse (the run fails)."
  type        = string
  default     = "hold"
  validation {
    condition     = contains(["hold", "remove", "refuse"], var.on_empty)
    error_message = "on_empty must be hold, remove or refuse."
  }
}

variable "max_addresses" {
  description = "Most addresses of one rule. A plan with more is refused."
  type        = number
  default     = 4000
  validation {
    condition     = var.max_addresses >= 1 && floor(var.max_addresses) == var.max_addresses
    error_message = "max_addresses must be a whole number of 1 or more."
  }
}
