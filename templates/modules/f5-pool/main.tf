# What each pool has to have. Members are a map from the device's name of a member to
# its ratio, 0 for a member that takes no traffic.
locals {
  pools = toset(values(local.paths))
  # Two instances with one address and port are one member.
  grouped = { for n, j in local.judged : "${j.i.pool} ${local.names[n]}" => n... if local.fits[n] }
  wanted = {
    for pool, members in { for places in local.grouped : local.judged[places[0]].i.pool => places... } : pool => {
      for places in members : local.names[places[0]] => max([for n in places : local.ratios[n]]...)
    }
  }
  doubles = [
    for places in local.grouped : {
      service  = local.judged[places[0]].i.service
      instance = local.judged[places[1]].i.key
      reason   = "skipped: ${local.names[places[0]]} is a member already, by ${local.judged[places[0]].i.key}"
    } if length(places) > 1
  ]

  # What the last run left, if it can be read.
  remembers = var.on_empty == "keep" || var.mode == "ltm" && var.drain
  last = !local.remembers ? {} : try({
    for pool, members in jsondecode(file(var.memory_file)) : pool => {
      for name, ratio in members : name => tonumber(ratio) if can(regex("^[0-9A-Fa-f.:]+[.:][0-9]+$", name))
    }
  }, {})

  idle = { for pool in local.pools : pool => length([for ratio in values(try(local.wanted[pool], {})) : 1 if ratio > 0]) == 0 }
  kept = { for pool, idle in local.idle : pool => { for name, ratio in try(local.last[pool], {}) : name => ratio if ratio > 0 } if idle && var.on_empty == "keep" }
  # A member that was there and is not wanted any more is disabled in this run. One that
  # was disabled already goes.
  leaving = {
    for pool in local.pools : pool => { for name, ratio in try(local.last[pool], {}) : name => 0 if ratio > 0 }
    if var.mode == "ltm" && var.drain && !can(local.kept[pool])
  }
  members = {
    for pool in local.pools : pool => {
      for name, ratio in merge(try(local.leaving[pool], {}), try(local.wanted[pool], {}), try(local.kept[pool], {})) : name => ratio
      if var.mode == "ltm" || ratio > 0
    }
  }
  # Never null: an event list without nodes would be sent as null, which no device is
  # known to take for an empty one.
  filled = { for pool, members in local.members : pool => members if length(members) > 0 }
}

resource "bigip_event_service_discovery" "pool" {
  for_each = var.mode == "event" ? local.filled : {}
  taskid   = replace(each.key, "/", "~")

  dynamic "node" {
    for_each = each.value
    content {
      id   = node.key
      ip   = replace(node.key, "/[.:][0-9]+$/", "")
      port = tonumber(regex("[0-9]+$", node.key))
    }
  }

  lifecycle {
    # To destroy it would send an empty list, and the pool would serve nobody.
    prevent_destroy = true
  }
}

resource "bigip_ltm_pool" "pool" {
  for_each            = var.mode == "ltm" ? local.pools : toset([])
  name                = each.key
  description         = "Members from Consul. Written by Terraform: the next run overwrites changes."
  load_balancing_mode = var.load_balancing_mode
  monitors            = var.monitors
}

# One object for each member: a pool without AS3 has no list that could be sent.
resource "bigip_ltm_pool_attachment" "member" {
  # patchbay:allow per-instance: there is no list
  for_each = var.mode != "ltm" ? {} : merge([
    for pool, members in local.members : { for name, ratio in members : "${pool} ${name}" => { pool = pool, name = name, ratio = ratio } }
  ]...)
  pool  = bigip_ltm_pool.pool[each.value.pool].name
  node  = each.value.name
  ratio = max(1, each.value.ratio)
  state = each.value.ratio > 0 ? "enabled" : "disabled"
}

# Remembers what the pools have now, for the next run. Terraform knows no value of the
# last run, so that a file has to.
resource "terraform_data" "memory" {
  count            = local.remembers ? 1 : 0
  triggers_replace = [var.memory_file, sha256(local.memory)]
  depends_on       = [bigip_event_service_discovery.pool, bigip_ltm_pool_attachment.member]

  # patchbay:allow no-timeout: it writes a local file and waits for nobody
  provisioner "local-exec" {
    interpreter = ["/bin/sh", "${path.module}/remember.sh"]
    command     = var.memory_file
    # Linux takes at most 128 KiB in one variable of a program's environment.
    environment = { for n in range(ceil(length(local.memory) / 98304)) : "MEMORY_${n}" => substr(local.memory, n * 98304, 98304) }
  }
}

locals {
  memory = jsonencode(local.filled)
}
