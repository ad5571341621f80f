# Mode dns: a record per service, which pools of the gateway name.
locals {
  known   = var.mode == "dns" ? toset(concat(var.service_names, [for i in local.seen : i.service if i.service != ""])) : toset([])
  emptied = [for s in local.known : s if !can(local.members[s])]
  zone    = split("/", coalesce(var.private_dns_zone_id, "////////"))

  # DNS compares names without case, so any other name than a plain one gets its digest.
  records = {
    for s in local.known : s => join("", [var.record_prefix, (
      length(regexall("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", s)) == 1 ? s :
      "${substr(replace(lower(s), "/[^a-z0-9-]/", "-"), 0, 18)}-${substr(sha256(s), 0, 20)}"
    )])
  }
  held = { for s, r in data.azurerm_private_dns_a_record.held : s => tolist(r.records) }

  # Padded, so that addresses are in the order of their numbers.
  sorted = {
    for s in local.known : s => [
      for a in sort([for a in distinct(try(local.members[s], local.held[s], [])) : join(".", [for n in split(".", a) : format("%03d", n)])]) :
      join(".", [for n in split(".", a) : tostring(tonumber(n))])
    ]
  }
  shown = { for s, addresses in local.sorted : s => var.overflow == "first" ? slice(addresses, 0, min(20, length(addresses))) : addresses }
}

# The provider fails where there is no record, so only what service_names vouches for is
# read.
data "azurerm_private_dns_a_record" "held" {
  for_each            = var.on_empty == "hold" ? setintersection(local.emptied, var.service_names) : toset([])
  name                = local.records[each.key]
  zone_name           = local.zone[8]
  resource_group_name = local.zone[4]
}

resource "azurerm_private_dns_a_record" "service" {
  for_each            = toset([for s, addresses in local.shown : s if length(addresses) > 0])
  name                = local.records[each.key]
  private_dns_zone_id = var.private_dns_zone_id
  ttl                 = var.record_ttl
  # More than 20 are refused below; the provider would do so first, and say less.
  records = slice(local.shown[each.key], 0, min(20, length(local.shown[each.key])))

  lifecycle {
    precondition {
      condition     = length(local.shown[each.key]) <= 20
      error_message = "Service ${jsonencode(each.key)} has ${length(local.shown[each.key])} addresses and a DNS record takes 20: nothing was changed. Set overflow to first, use mode gateway, or narrow the task's filter."
    }
  }
}
