variable "services" {
  description = "Consul service instances by key, as Patchbay and Consul-Terraform-Sync give them."
  type = map(object({
    name         = string
    address      = string
    node_address = optional(string)
  }))
}

variable "service_names" {
  description = "Services that always have a group, also while none of their instances is known. Name those that firewall rules refer to."
  type        = list(string)
  default     = []
  validation {
    condition     = !contains(var.service_names, "")
    error_message = "service_names must have no empty name."
  }
}

variable "resource_group_name" {
  description = "Resource group that the IP groups are in."
  type        = string
  validation {
    condition     = can(regex("^[-\\w._()]{0,89}[-\\w_()]$", var.resource_group_name))
    error_message = "resource_group_name must be the name of a resource group, such as \"network\"."
  }
}

variable "location" {
  description = "Azure region of the IP groups, such as westeurope."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9 ]+$", var.location))
    error_message = "location must be the name of a region, such as \"westeurope\"."
  }
}

variable "name_prefix" {
  description = "Put before the name of each IP group. Two tasks in one resource group need different ones."
  type        = string
  default     = "patchbay-"
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$", var.name_prefix))
    error_message = "name_prefix must be 1 to 40 of A-Z, a-z, 0-9, _, . and -, the first of them a letter or digit."
  }
}

variable "on_empty" {
  description = "What an IP group holds when its service has no address left: hold (what it has now), placeholder, or refuse (the run fails)."
  type        = string
  default     = "hold"
  validation {
    condition     = contains(["hold", "placeholder", "refuse"], var.on_empty)
    error_message = "on_empty must be hold, placeholder or refuse."
  }
}

variable "placeholder" {
  description = "IPv4 address that nobody has. It keeps a group from being empty: Azure Firewall skips a rule whose group is."
  type        = string
  default     = "192.0.2.1"
  validation {
    condition     = can(cidrhost("${var.placeholder}/32", 0)) && can(regex("^[0-9.]+$", var.placeholder))
    error_message = "placeholder must be an IPv4 address."
  }
}

variable "max_addresses" {
  description = "Most addresses of one group. A plan with more is refused."
  type        = number
  default     = 5000
  validation {
    condition     = var.max_addresses >= 1 && floor(var.max_addresses) == var.max_addresses
    error_message = "max_addresses must be a whole number of 1 or more."
  }
}

variable "tags" {
  description = "Azure tags of each IP group."
  type        = map(string)
  default     = {}
}
