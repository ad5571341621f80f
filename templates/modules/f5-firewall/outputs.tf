output "lists" {
  description = "Per service: the full path of its list on the device and the addresses of that list, also those of other services that share it."
  value = {
    for service, name in local.names : service => {
      path      = var.kind == "address-list" ? "/${var.tenant}/lists/${name}" : "/${var.partition}/${name}"
      addresses = local.lists[name]
    }
  }

  # Here and not at a resource, for there may be none of either kind.
  precondition {
    condition     = length(local.problems) == 0
    error_message = "Variables of the f5-firewall module cannot be used; nothing was changed: ${join("; ", local.problems)}."
  }
  precondition {
    condition     = var.allow_empty || length(local.empty) == 0
    error_message = "Lists would have no address, which allow_empty refuses; nothing was changed: ${join(", ", [for e in local.empty : e.service])}. See why Consul has no instance with an address; if it is right, set allow_empty = true."
  }
}

output "skipped" {
  description = "What was left out or replaced, and why: service, instance (a key of services, empty for a whole service) and reason."
  value       = concat(local.skipped, local.empty)
}
