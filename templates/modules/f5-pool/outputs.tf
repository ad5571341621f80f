locals {
  empty = [for service, pool in local.paths : service if local.idle[pool]]
  # Output values are checked in every run, also where there is nothing to change.
  problems = compact([
    var.on_empty == "remove" && var.mode == "event" ? "on_empty = \"remove\" needs mode ltm: the provider sends an emptied event list as null" : "",
    var.mode == "event" && anytrue([for pool in values(local.paths) : length(split("/", pool)) != 4]) ?
    "in mode event each of pools must be /tenant/application/pool" : "",
  ])
}

output "pools" {
  description = "Per service: its pool and the members that the pool has, each with its ratio, 0 for one that is disabled."
  value       = { for service, pool in local.paths : service => { pool = pool, members = local.members[pool] } }

  precondition {
    condition     = length(local.problems) == 0
    error_message = "Variables of the f5-pool module cannot be used; nothing was changed: ${join("; ", local.problems)}."
  }
  precondition {
    condition     = var.on_empty != "refuse" || length(local.empty) == 0
    error_message = "No instance that takes traffic is left of ${join(", ", local.empty)}; nothing was changed and the pools keep what they have, as on_empty = \"refuse\" says. Bring instances back, take the service out of variable pools, or set on_empty."
  }
}

output "skipped" {
  description = "What was left out or replaced, and why: service, instance (a key of services, empty for a whole service) and reason."
  value = concat(local.skipped, local.doubles, local.odd_weights, [
    for service, pool in local.paths : {
      service  = service
      instance = ""
      reason = (
        length(local.members[pool]) > 0 ? "kept: no instance takes traffic, its pool keeps the ${length(local.members[pool])} members that it had" :
        var.mode == "event" ? "waits: it has no instance that takes traffic and had none before, its pool is left alone" :
        "empty: its pool has no member"
      )
    } if local.idle[pool] && (can(local.kept[pool]) || length(local.members[pool]) == 0)
  ])
}

output "warnings" {
  description = "What works now and will not for long."
  value = var.mode == "event" ? [] : [
    for pool, members in local.members :
    "${pool} has ${length(members)} members, each of them an object that costs two requests in every run; above 50 give the pool to AS3 and use mode event" if length(members) > 50
  ]
}
