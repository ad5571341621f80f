# Shifts traffic between the subsets of a service as its canary says.
locals {
  # The subset of each instance, "" for none, in the order of seen.
  versions = [for i in local.seen : try(tostring(var.services[i.key].meta[var.canary_meta]), "")]
  subsets  = [for v in local.versions : v == null ? "" : lookup(var.canary_subsets, v, v)]

  # What the instances that take traffic weigh together, by service and subset.
  together = {
    for n, j in local.judged : jsonencode([j.i.service, local.subsets[n]]) => j.weight...
    if j.fits && j.i.state == "ready" && j.weight >= 1 && can(var.canary_weights[j.i.service])
  }
  totals = { for key, weights in local.together : key => sum(weights) }
  # Where nothing would be left that takes traffic, the weights say nothing: to serve
  # both versions is better than to serve none.
  shifted = {
    for service, shares in var.canary_weights : service => anytrue([
      for subset, percent in shares : percent > 0 && can(local.totals[jsonencode([service, subset])])
    ])
  }

  # The part of the traffic that each instance shall have, in any unit.
  parts = [
    for n, j in local.judged : (
      !j.fits || j.i.state != "ready" || j.weight < 1 ? 0 :
      !try(local.shifted[j.i.service], false) ? j.weight :
      try(max(0, var.canary_weights[j.i.service][local.subsets[n]] * j.weight / local.totals[jsonencode([j.i.service, local.subsets[n]])]), 0)
    )
  ]
  parts_of = { for n, j in local.judged : j.i.service => local.parts[n]... if j.fits }
  # HAProxy's weights end at 256: the heaviest instance gets it where they would not fit
  # or where they are parts of a percentage, and nobody's part is rounded to nothing.
  unit = {
    for service, parts in local.parts_of : service => (
      max(parts...) <= 0 ? 1 : try(local.shifted[service], false) || max(parts...) > 256 ? 256 / max(parts...) : 1
    )
  }
  weighed = [
    for n, j in local.judged : merge(j, {
      weight = (
        j.i.state != "ready" ? min(256, max(0, j.weight)) :
        local.parts[n] <= 0 ? 0 : max(1, floor(local.parts[n] * local.unit[j.i.service] + 0.5))
      )
    }) if j.fits
  ]

  odd_canaries = concat([
    for service, works in local.shifted : {
      service  = service
      instance = ""
      reason   = "served without the weights of its canary: no instance is in a subset that has a share; see canary_meta and canary_subsets"
    } if !works && can(local.parts_of[service])
    ], [
    for n, j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason   = "weight 0: it is in no subset of the service's canary"
    } if try(local.shifted[j.i.service], false) && j.fits && !can(var.canary_weights[j.i.service][local.subsets[n]])
  ])
}
