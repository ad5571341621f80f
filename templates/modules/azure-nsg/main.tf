locals {
  services = toset(concat(var.service_names, keys(var.rules), [for i in local.seen : i.service if i.service != ""]))

  # Azure compares names without case, so any other name than a plain one gets its digest.
  plain = {
    for s in local.services : s => length(regexall("^[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?$", s)) == 1 ? s :
    "${replace(substr(lower(s), 0, 18), "/[^a-z0-9_-]/", "_")}.${substr(sha256(s), 0, 20)}"
  }
  names = { for s, p in local.plain : s => "${var.rule_prefix}${p}" }

  settings = {
    for s in local.services : s => {
      members   = try(coalesce(var.rules[s].members), var.members)
      peers     = try(coalesce(var.rules[s].peers), var.peers)
      ports     = try(coalesce(var.rules[s].ports), var.ports)
      protocol  = try(coalesce(var.rules[s].protocol), var.protocol)
      direction = try(coalesce(var.rules[s].direction), var.direction)
      access    = try(coalesce(var.rules[s].access), var.access)
    }
  }

  # What a rule has now stands for the members of an emptied service.
  held = var.on_empty != "hold" ? {} : {
    for s, r in local.own : s => {
      addresses = compact(local.settings[s].members == "source" ? concat(tolist(r.source_address_prefixes), [r.source_address_prefix]) : concat(tolist(r.destination_address_prefixes), [r.destination_address_prefix]))
      ports     = compact(concat(tolist(r.destination_port_ranges), [r.destination_port_range]))
    } if !can(local.members[s])
  }
  # A set and back: distinct takes a second for some thousand addresses.
  addresses = { for s in local.services : s => tolist(toset(try(local.members[s], local.held[s].addresses, []))) }
  ports     = { for s in local.services : s => distinct(length(local.settings[s].ports) > 0 ? local.settings[s].ports : try(local.opened[s], local.held[s].ports, [])) }

  # A rule without addresses or ports would be one for all of them, or none.
  ruled = [for s in local.services : s if var.on_empty == "refuse" || length(local.addresses[s]) > 0]
  total = length(local.present) + length([for s in local.ruled : s if !can(local.own[s])])
}

resource "azurerm_network_security_rule" "service" {
  for_each                    = toset(local.ruled)
  name                        = local.names[each.key]
  resource_group_name         = var.resource_group_name
  network_security_group_name = var.network_security_group_name
  description                 = "Instances of ${local.plain[each.key]} in Consul. Written by Terraform: the next run overwrites changes."
  priority                    = local.priorities[each.key]
  direction                   = local.settings[each.key].direction
  access                      = local.settings[each.key].access
  protocol                    = local.settings[each.key].protocol

  source_port_range       = "*"
  destination_port_range  = join("", local.ports[each.key]) == "*" ? "*" : null
  destination_port_ranges = join("", local.ports[each.key]) == "*" ? null : toset(local.ports[each.key])

  source_address_prefixes      = local.settings[each.key].members == "source" ? toset(local.addresses[each.key]) : length(local.settings[each.key].peers) > 1 ? toset(local.settings[each.key].peers) : null
  source_address_prefix        = local.settings[each.key].members != "source" && length(local.settings[each.key].peers) == 1 ? local.settings[each.key].peers[0] : null
  destination_address_prefixes = local.settings[each.key].members != "source" ? toset(local.addresses[each.key]) : length(local.settings[each.key].peers) > 1 ? toset(local.settings[each.key].peers) : null
  destination_address_prefix   = local.settings[each.key].members == "source" && length(local.settings[each.key].peers) == 1 ? local.settings[each.key].peers[0] : null

  lifecycle {
    precondition {
      condition     = length(local.addresses[each.key]) > 0
      error_message = "Service ${jsonencode(each.key)} has no instance with an ${var.ip_family} address left, and on_empty is \"refuse\": nothing was changed. Bring an instance back, take the service out of the task, or set on_empty to hold or remove."
    }
    precondition {
      condition     = length(local.addresses[each.key]) <= var.max_addresses
      error_message = "Service ${jsonencode(each.key)} has ${length(local.addresses[each.key])} addresses and a rule takes ${var.max_addresses} (max_addresses): nothing was changed. Split the service, or narrow the task's filter."
    }
    precondition {
      condition     = length(local.ports[each.key]) > 0 && (local.settings[each.key].members == "destination" || length(local.settings[each.key].ports) > 0)
      error_message = "No destination port is known for the rule of service ${jsonencode(each.key)}, and a rule for all of them would be too wide: nothing was changed. Set ports, or rules[${jsonencode(each.key)}].ports."
    }
    precondition {
      condition     = local.priorities[each.key] != null
      error_message = "No priority from ${var.base_priority} to ${var.base_priority + var.slots - 1} is free for the rule of service ${jsonencode(each.key)}: nothing was changed. Set a larger slots or another base_priority."
    }
    precondition {
      condition = !can(local.fixed[each.key]) || (
        length(try(local.asked[tostring(local.fixed[each.key])], [])) <= 1 &&
        lower(try(local.holders[tostring(local.fixed[each.key])], local.names[each.key])) == lower(local.names[each.key])
      )
      error_message = "Priority ${try(local.fixed[each.key], 0)}, given for service ${jsonencode(each.key)}, belongs to rule ${jsonencode(try(local.holders[tostring(local.fixed[each.key])], "of another service"))} of the network security group: nothing was changed. Give another one; two rules change places in two runs."
    }
    precondition {
      condition     = local.total <= 1000
      error_message = "Network security group ${var.network_security_group_name} would have more than 1,000 rules: nothing was changed. Narrow the task's services or use a second group."
    }
  }
}
