# Shifts traffic between the subsets of a service as its canary says.
locals {
  # The subset of each instance, "" for none, in the order of seen.
  versions = [for i in local.seen : try(tostring(var.services[i.key].meta[var.canary_meta]), "")]
  subsets  = [for v in local.versions : v == null ? "" : lookup(var.canary_subsets, v, v)]

  # What the instances that take traffic weigh together, by service and subset.
  together = {
    for n, j in local.judged : jsonencode([j.i.service, local.subsets[n]]) => j.weight...
    if j.fits && j.i.up && j.weight >= 1 && can(var.canary_weights[j.i.service])
  }
  totals = { for key, weights in local.together : key => sum(weights) }
  # Where nothing would be left that takes traffic, the weights say nothing: to serve
  # both versions is better than to serve none.
  shifted = {
    for service, shares in var.canary_weights : service => anytrue([
      for subset, percent in shares : percent > 0 && can(local.totals[jsonencode([service, subset])])
    ])
  }
  # Parts of a percent: all of them on one instance must fit into the heaviest weight.
  parts = { for service, heaviest in local.heaviest : service => floor(heaviest / 100) }

  weighed = [
    for n, j in local.judged : !j.i.up || !try(local.shifted[j.i.service], false) ? j : merge(j, {
      weight = try(var.canary_weights[j.i.service][local.subsets[n]] <= 0 ? 0 : max(1, floor(
        var.canary_weights[j.i.service][local.subsets[n]] * local.parts[j.i.service] * j.weight / local.totals[jsonencode([j.i.service, local.subsets[n]])]
      )), 0)
    })
  ]

  odd_canaries = concat([
    for service, works in local.shifted : {
      service  = service
      instance = ""
      reason   = "served without the weights of its canary: no instance is in a subset that has a share; see canary_meta and canary_subsets"
    } if !works && can(local.servers[service])
    ], [
    for n, j in local.weighed : {
      service  = j.i.service
      instance = j.i.key
      reason   = "down: it is in no subset of the service's canary"
    } if try(local.shifted[j.i.service], false) && j.fits && !can(var.canary_weights[j.i.service][local.subsets[n]])
  ])
}
