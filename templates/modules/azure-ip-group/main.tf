locals {
  services = toset(concat(var.service_names, [for i in local.seen : i.service if i.service != ""]))
  emptied  = [for s in local.services : s if !can(local.members[s])]

  # Azure compares names without case, so any other name than a plain one gets its digest.
  names = {
    for s in local.services : s => join("", [var.name_prefix, (
      length(regexall("^[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?$", s)) == 1 ? s :
      "${substr(replace(lower(s), "/[^a-z0-9_-]/", "_"), 0, 18)}.${substr(sha256(s), 0, 20)}"
    )])
  }

  existing = try(data.azurerm_ip_groups.existing[0].names, [])
  held = {
    for s in local.emptied : s => data.azurerm_ip_group.held[s].cidrs
    if try(length(setsubtract(data.azurerm_ip_group.held[s].cidrs, [var.placeholder])), 0) > 0
  }
}

# What the groups of emptied services hold now: read only while there are such.
data "azurerm_ip_groups" "existing" {
  count               = var.on_empty == "hold" && length(local.emptied) > 0 ? 1 : 0
  name                = var.name_prefix
  resource_group_name = var.resource_group_name
}

data "azurerm_ip_group" "held" {
  for_each            = toset([for s in local.emptied : s if contains(local.existing, local.names[s])])
  name                = local.names[each.key]
  resource_group_name = var.resource_group_name
}

resource "azurerm_ip_group" "service" {
  for_each            = local.services
  name                = local.names[each.key]
  location            = var.location
  resource_group_name = var.resource_group_name
  cidrs               = toset(try(local.members[each.key], local.held[each.key], [var.placeholder]))
  tags                = var.tags

  lifecycle {
    precondition {
      condition     = var.on_empty != "refuse" || can(local.members[each.key])
      error_message = "Service ${jsonencode(each.key)} has no instance with an IPv4 address left, and on_empty is \"refuse\": nothing was changed. Bring an instance back, take the service out of the task, or set on_empty to hold or placeholder."
    }
    precondition {
      condition     = try(length(toset(local.members[each.key])), 0) <= var.max_addresses
      error_message = "Service ${jsonencode(each.key)} has ${try(length(toset(local.members[each.key])), 0)} addresses and an IP group takes ${var.max_addresses} (max_addresses): nothing was changed. Split the service, or narrow the task's filter."
    }
  }
}
