output "pools" {
  description = "Per service: id of its pool and the addresses that the module has there."
  value       = { for s, addresses in local.pools : s => { id = var.backend_address_pool_ids[s], addresses = addresses } }

  # Here, as a pool may have no entry that could say it.
  precondition {
    condition     = var.on_empty != "refuse" || length(local.emptied) == 0
    error_message = "No instance that could take traffic is left of: ${join(", ", [for s in local.emptied : jsonencode(s)])}, and on_empty is \"refuse\": nothing was changed. Bring an instance back, take the service out of backend_address_pool_ids, or set on_empty to hold or remove."
  }
  precondition {
    condition     = alltrue([for s, addresses in local.pools : length(addresses) <= var.max_addresses])
    error_message = "More than ${var.max_addresses} addresses (max_addresses) for the pool of: ${join(", ", [for s, addresses in local.pools : "${jsonencode(s)} (${length(addresses)})" if length(addresses) > var.max_addresses])}: nothing was changed. Each takes 10 s or more, one after the other. Raise max_addresses, or put a proxy between."
  }
}

output "skipped" {
  description = "What was left out or replaced, and why: service, instance (a key of services, empty for a whole service) and reason."
  value = concat(local.skipped, [
    for s in local.emptied : {
      service  = s
      instance = ""
      reason   = length(local.pools[s]) > 0 ? "held: it has no instance left, so its pool keeps what it has" : "its pool is empty: it has no instance"
    }
  ])
}
