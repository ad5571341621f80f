locals {
  emptied = [for s in keys(var.backend_address_pool_ids) : s if !can(local.members[s])]

  # What pools of emptied services have now, as far as it is the module's.
  held = {
    for s, pool in data.azurerm_lb_backend_address_pool.held : s => [
      for a in pool.backend_address : a.ip_address if startswith(lower(a.name), lower(var.name_prefix)) && a.ip_address != ""
    ]
  }
  pools = { for s, id in var.backend_address_pool_ids : s => sort(distinct(try(local.members[s], local.held[s], []))) }

  # Named by the address, so that a move is one entry less and one more: the provider
  # takes 10 times as long to change an entry as to make one.
  entries = merge([
    for s, addresses in local.pools : { for a in addresses : "${s}/${a}" => { service = s, address = a } }
  ]...)
}

data "azurerm_lb_backend_address_pool" "held" {
  for_each        = { for s in local.emptied : s => split("/", var.backend_address_pool_ids[s]) if var.on_empty == "hold" }
  name            = each.value[10]
  loadbalancer_id = join("/", slice(each.value, 0, 9))
}

# Azure's provider has no resource that fills a pool in one write.
resource "azurerm_lb_backend_address_pool_address" "instance" {
  # patchbay:allow per-instance: there is no list
  for_each                = local.entries
  name                    = "${var.name_prefix}${replace(each.value.address, "/[.:]/", "-")}"
  backend_address_pool_id = var.backend_address_pool_ids[each.value.service]
  virtual_network_id      = var.virtual_network_id
  ip_address              = each.value.address
}
