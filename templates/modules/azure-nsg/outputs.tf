output "rules" {
  description = "Per service: id, name and priority of its rule, its addresses and ports."
  value = {
    for s, r in azurerm_network_security_rule.service : s => {
      id = r.id, name = r.name, priority = r.priority, addresses = sort(local.addresses[s]), ports = sort(local.ports[s])
    }
  }
}

output "skipped" {
  description = "What was left out or replaced, and why: service, instance (a key of services, empty for a whole service) and reason."
  value = concat(local.skipped, [
    for s in local.services : {
      service  = s
      instance = ""
      reason   = length(local.addresses[s]) > 0 ? "held: it has no address left, so its rule keeps those that it has" : "no rule: it has no address"
    } if !can(local.members[s])
  ])
}
