# Gives each instance its ratio, 0 for one that takes no traffic.
locals {
  # The subset of each instance, "" for none, in the order of seen.
  versions = [for i in local.seen : try(tostring(var.services[i.key].meta[var.canary_meta]), "")]
  subsets  = [for v in local.versions : v == null ? "" : lookup(var.canary_subsets, v, v)]
  takes    = [for n, j in local.judged : local.fits[n] && j.i.up && j.weight >= 1]

  # What the instances that take traffic weigh together, by service and subset.
  together = {
    for n, j in local.judged : jsonencode([j.i.service, local.subsets[n]]) => j.weight... if local.takes[n] && can(var.canary_weights[j.i.service])
  }
  totals = { for key, weights in local.together : key => sum(weights) }
  # Where nothing would be left that takes traffic, the weights say nothing: to serve
  # both versions is better than to serve none.
  shifted = {
    for service, shares in var.canary_weights : service => var.mode == "ltm" && anytrue([
      for subset, percent in shares : percent > 0 && can(local.totals[jsonencode([service, subset])])
    ])
  }

  # 655 parts of a percent: all of them on one member fit into the heaviest ratio, 65535.
  ratios = [
    for n, j in local.judged :
    !local.takes[n] ? 0 :
    !try(local.shifted[j.i.service], false) ? min(j.weight, 65535) :
    try(var.canary_weights[j.i.service][local.subsets[n]] <= 0 ? 0 : max(1, floor(
      var.canary_weights[j.i.service][local.subsets[n]] * 655 * j.weight / local.totals[jsonencode([j.i.service, local.subsets[n]])]
    )), 0)
  ]

  odd_weights = concat([
    for n, j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason   = "served with the weight of instance_weights or 1: its meta weight is not a whole number of up to 5 digits"
    } if local.fits[n] && j.odd
    ], [
    for service, works in local.shifted : {
      service  = service
      instance = ""
      reason = (var.mode == "event" ? "served without the weights of its canary: mode event has no weights" :
      "served without the weights of its canary: no instance is in a subset that has a share; see canary_meta and canary_subsets")
    } if !works && can(local.paths[service])
    ], [
    for n, j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason   = "disabled: it is in no subset of the service's canary"
    } if try(local.shifted[j.i.service], false) && local.fits[n] && !can(var.canary_weights[j.i.service][local.subsets[n]])
  ])
}
