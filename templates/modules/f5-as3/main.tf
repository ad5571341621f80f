# Few locals and no validation blocks: Terraform spends about a millisecond on each
# expression of its own, however small, and this runs at every change.
locals {
  problems = compact(concat([
    can(regex("^[A-Za-z][0-9A-Za-z_]{0,63}$", var.tenant)) && !contains(["Common", "class", "schemaVersion", "label", "remark", "controls", "constants", "scratch", "updateMode", "id", "target"], var.tenant) ? "" :
    "tenant must be a letter and up to 63 letters, digits and _, and no word of AS3 such as Common",
    var.route_domain >= 0 && var.route_domain <= 65535 && floor(var.route_domain) == var.route_domain ? "" :
    "route_domain must be a whole number from 0 to 65535",
    alltrue([for net in var.virtual_networks : can(cidrhost(net, 0))]) ? "" :
    "virtual_networks must be networks such as 10.1.0.0/16",
    contains(keys(var.virtual_servers), "") ? "virtual_servers must have no empty name" : "",
    ], [
    for name, value in var.defaults : can(local.settings[name]) ? "" : "defaults must have no ${jsonencode(name)}: there are ${join(", ", keys(local.settings))}"
    ], [
    for name, value in var.defaults : try(regex(local.settings[name].pattern, value), null) != null || !can(local.settings[name]) ? "" :
    "defaults must have a valid ${name}"
    ], flatten([
      for service, settings in var.virtual_servers : [
        for name, value in settings : can(local.settings[name]) ? "" :
        "virtual_servers must have no ${jsonencode(name)} for ${jsonencode(service)}: there are ${join(", ", keys(local.settings))}"
      ]
      ]), flatten([
      for service, asked in local.asked : [
        for name, list in asked : [for a in list : "virtual_servers must have a valid ${name} for ${jsonencode(service)}" if a.rank == 3 && !a.fits]
      ]
  ])))
}

# One list per service in one object of the device: a resource per member would make
# each plan ask the device for each of them.
resource "bigip_as3" "tenant" {
  as3_json        = jsonencode(local.declaration)
  ignore_metadata = true

  lifecycle {
    precondition {
      condition     = length(local.problems) == 0
      error_message = "Variables of the f5-as3 module cannot be used; nothing was changed: ${join("; ", local.problems)}."
    }
    precondition {
      condition     = !var.require_virtual_address || alltrue([for w in local.wanted : length(w.lacks) == 0])
      error_message = "These services cannot have a virtual server; nothing was changed: ${join("; ", [for service, w in local.wanted : "${service} has no ${join(" and no ", w.lacks)}" if length(w.lacks) > 0])}. Set what is missing in virtual_servers, in the task's cts_user_defined_meta or in the meta of the instances (f5_virtual_address and so on), or set require_virtual_address = false for pools alone."
    }
    precondition {
      condition     = alltrue([for l in local.losers : l.meta])
      error_message = "Two services want the same virtual server; nothing was changed: ${join("; ", [for service, l in local.losers : "${l.winner} and ${service} both have ${l.claim}" if !l.meta])}. Give each its own virtual_address or virtual_port."
    }
  }
}
