output "groups" {
  description = "Per service: id and name of its IP group, and the addresses that it holds."
  value = {
    for s, g in azurerm_ip_group.service : s => { id = g.id, name = g.name, cidrs = sort(g.cidrs) }
  }
}

output "skipped" {
  description = "What was left out or replaced, and why: service, instance (a key of services, empty for a whole service) and reason."
  value = concat(local.skipped, [
    for s in local.emptied : {
      service  = s
      instance = ""
      reason   = can(local.held[s]) ? "held: it has no address left, so its group keeps what it holds" : "its group holds the placeholder: it has no address"
    }
  ])
}
