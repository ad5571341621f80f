variable "services" {
  description = "Consul service instances by key, as Patchbay and Consul-Terraform-Sync give them."
  type = map(object({
    name         = string
    address      = string
    node_address = optional(string)
  }))
}

variable "kind" {
  description = "data-group (LTM, for iRules and policies) or address-list (AFM, by AS3 in a tenant of its own)."
  type        = string
  default     = "data-group"
}

variable "service_names" {
  description = "Services that must always have a list, also while none of their instances is known."
  type        = list(string)
  default     = []
}

variable "list_names" {
  description = "Name of the list by service, where it is not the service's own. Services with one name share a list."
  type        = map(string)
  default     = {}
}

variable "prefix" {
  description = "Put before the name of each list that list_names does not tell, such as consul_."
  type        = string
  default     = "consul_"
}

variable "partition" {
  description = "Partition of data groups. It must be there."
  type        = string
  default     = "Common"
}

variable "tenant" {
  description = "With address-list: the AS3 tenant (a partition) that belongs to this module alone."
  type        = string
  default     = ""
}

variable "placeholder" {
  description = "With address-list: the address of a list without instances, since AS3 takes no empty list. Nobody may have it."
  type        = string
  default     = "192.0.2.1"
}

variable "allow_empty" {
  description = "Whether a list may lose all of its addresses. If not, such a plan is refused."
  type        = bool
  default     = true
}
