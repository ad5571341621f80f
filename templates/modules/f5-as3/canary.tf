# Shifts traffic between the subsets of a service as its canary says, by ratio.
locals {
  # The subset of each instance, "" for none, in the order of seen.
  subsets = [for i in local.seen : length(var.canary_weights) == 0 ? "" : try(lookup(var.canary_subsets, i.meta[var.canary_meta], i.meta[var.canary_meta]), "")]

  # What the instances that take traffic weigh together, by service and subset.
  together = {
    for n, j in local.judged : jsonencode([j.i.service, local.subsets[n]]) => j.weight...
    if can(local.kept[n]) && j.i.up && j.weight >= 1 && can(var.canary_weights[j.i.service])
  }
  totals = { for key, weights in local.together : key => sum(weights) }
  # Where nothing would be left that takes traffic, the weights say nothing: to serve
  # both versions is better than to serve none.
  shifted = {
    for service, shares in var.canary_weights : service => anytrue([
      for subset, percent in shares : percent > 0 && can(local.totals[jsonencode([service, subset])])
    ])
  }

  # What each instance takes of its service's traffic, in parts that are not whole yet.
  weighed = [
    for n, j in local.judged : {
      j = j
      share = !try(local.shifted[j.i.service], false) ? j.weight : try(
        var.canary_weights[j.i.service][local.subsets[n]] * j.weight / local.totals[jsonencode([j.i.service, local.subsets[n]])], 0
      )
    }
  ]
  shares = { for n, w in local.weighed : w.j.i.service => w.share... if can(local.kept[n]) && w.j.i.up && w.share > 0 }
  # AS3 takes ratios from 1 to 100. Whole shares in that range stay as they are, others
  # are brought into it, the heaviest at 100, for the finest steps.
  scales = {
    for service, shares in local.shares : service =>
    max(shares...) > 100 || anytrue([for s in shares : floor(s) != s]) ? 100 / max(shares...) : 1
  }

  odd_canaries = concat([
    for service, works in local.shifted : {
      service  = service
      instance = ""
      reason   = "served without the weights of its canary: no instance is in a subset that has a share; see canary_meta and canary_subsets"
    } if !works && can(local.chosen[service])
    ], [
    for n, j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason   = "disabled: it is in no subset of the service's canary"
    } if try(local.shifted[j.i.service], false) && can(local.kept[n]) && !can(var.canary_weights[j.i.service][local.subsets[n]])
  ])
}
