output "records" {
  description = "Mode dns: per service the name that a pool of the gateway is given, and its addresses."
  value = {
    for s, r in azurerm_private_dns_a_record.service : s => { id = r.id, fqdn = "${r.name}.${local.zone[8]}", addresses = local.shown[s] }
  }

  # Here, as there may be no record that could say it.
  precondition {
    condition     = var.mode != "dns" || var.private_dns_zone_id != null
    error_message = "Mode dns needs private_dns_zone_id: nothing was changed."
  }
  precondition {
    condition     = var.on_empty != "refuse" || length(local.emptied) == 0
    error_message = "No instance that could take traffic is left of: ${join(", ", [for s in local.emptied : jsonencode(s)])}, and on_empty is \"refuse\": nothing was changed. Bring an instance back, take the service out of the task, or set on_empty to hold or remove."
  }
}

output "pools" {
  description = "Mode gateway: per service the name of its backend pool, its addresses and their port."
  value       = { for s, a in local.targets : s => { name = local.parts[s], addresses = sort(a), port = local.reached[s].ports[0] } if var.mode == "gateway" }

  precondition {
    condition     = var.mode != "gateway" || var.gateway != null
    error_message = "Mode gateway needs the variable gateway: nothing was changed."
  }
}

output "skipped" {
  description = "What was left out or replaced, and why: service, instance (a key of services, empty for a whole service) and reason."
  value = concat(local.skipped,
    [
      for s in local.emptied : {
        service  = s
        instance = ""
        reason   = can(local.held[s]) ? "held: it has no instance left, so its record keeps what it has" : "no record: it has no instance"
      }
    ],
    [
      for s, addresses in local.sorted : {
        service  = s
        instance = ""
        reason   = "only the 20 lowest of its ${length(addresses)} addresses are in its record"
      } if length(addresses) > length(local.shown[s])
    ],
    [
      for s, a in local.targets : {
        service  = s
        instance = ""
        reason   = "its pool is empty, so clients get 502: it has no instance"
      } if var.mode == "gateway" && length(a) == 0
    ],
  )
}
