# Gives each rule a priority that it keeps. The network security group itself is the
# memory: a rule that is there keeps its priority, a new one gets the lowest that no rule
# has. So a service more moves no other rule, and two rules never swap, which Azure would
# refuse half way.
data "azurerm_network_security_group" "edge" {
  name                = var.network_security_group_name
  resource_group_name = var.resource_group_name
}

locals {
  ours    = { for service, name in local.names : lower(name) => service }
  present = data.azurerm_network_security_group.edge.security_rule
  own     = { for r in local.present : local.ours[lower(r.name)] => r if can(local.ours[lower(r.name)]) }
  holders = merge({}, [for r in local.present : { tostring(r.priority) = r.name }]...)

  fixed = { for service, r in var.rules : service => r.priority if r.priority != null }
  kept = {
    for service, r in local.own : service => r.priority
    if !can(local.fixed[service]) && r.priority >= var.base_priority && r.priority < var.base_priority + var.slots
  }
  asked = { for service, priority in local.fixed : tostring(priority) => service... }
  free = [
    for p in range(var.base_priority, min(var.base_priority + var.slots, 4097)) : p
    if !can(local.holders[tostring(p)]) && !can(local.asked[tostring(p)])
  ]
  new = sort([for service in local.ruled : service if !can(local.kept[service]) && !can(local.fixed[service])])
  # Null is refused below.
  priorities = merge(local.fixed, local.kept, { for n, service in local.new : service => try(local.free[n], null) })
}
