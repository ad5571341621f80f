variable "services" {
  description = "Consul service instances by key, as Patchbay and Consul-Terraform-Sync give them."
  type = map(object({
    name         = string
    address      = string
    port         = number
    node_address = optional(string)
    status       = optional(string)
  }))
}

variable "service_names" {
  description = "Services that must always have their sets, also while none of their instances is known. Those of allow are added."
  type        = list(string)
  default     = []
}

variable "table" {
  description = "Name of the nftables table (family inet) whose sets this module owns. No other module may use it."
  type        = string
  default     = "patchbay"
}

variable "file_path" {
  description = "Absolute path of the file that this module owns. nftables must include it at boot, before the rules that use the sets."
  type        = string
  default     = "/etc/nftables.d/patchbay.nft"
}

variable "nft_command" {
  description = "Program and first arguments that run nft on the firewall, such as [\"sudo\", \"-n\", \"nft\"]."
  type        = list(string)
  default     = ["nft"]
}

variable "allow" {
  description = "Ports of this machine (through: of machines behind it) that only the instances of a service may reach, and the networks of from; everybody else is refused."
  type = list(object({
    service  = string
    ports    = list(number)
    protocol = optional(string, "tcp")
    from     = optional(list(string), [])
    through  = optional(bool, false)
  }))
  default = []
}

variable "refuse" {
  description = "What everybody else gets on the ports of allow: reject answers at once, drop lets them wait."
  type        = string
  default     = "reject"
}

variable "only_healthy" {
  description = "Whether instances that are neither passing nor warning are left out. Only a filter on Checks.Status gives such."
  type        = bool
  default     = false
}

variable "max_elements" {
  description = "Most addresses that one service may have; a plan with more is refused."
  type        = number
  default     = 10000
}

variable "lock_timeout" {
  description = "Seconds to wait for another run on the same directory."
  type        = number
  default     = 30
}
