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

variable "tenant" {
  description = "The AS3 tenant (a partition) that belongs to this module alone: a letter, then up to 63 letters, digits and _."
  type        = string
}

variable "virtual_servers" {
  description = "Settings by service. A service named here keeps its virtual server and pool also without any instance."
  type        = map(map(string))
  default     = {}
}

variable "defaults" {
  description = "Settings of services that have no other: virtual_address and so on, see README.md."
  type        = map(string)
  default     = {}
}

variable "virtual_networks" {
  description = "Networks from which the meta of instances may choose a virtual address, such as 10.1.0.0/16; none lets only the operator choose."
  type        = list(string)
  default     = ["0.0.0.0/0", "::/0"]
}

variable "require_virtual_address" {
  description = "Whether a service without a virtual address stops the plan. Otherwise it gets a pool alone, told in output skipped."
  type        = bool
  default     = true
}

variable "share_nodes" {
  description = "Whether nodes are made in /Common, so that several tenants can have members of one address."
  type        = bool
  default     = true
}

variable "route_domain" {
  description = "Number of the route domain of the tenant's addresses."
  type        = number
  default     = 0
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
