# Judges every instance: all that Consul has is hostile input, and one value that AS3
# does not take would make it refuse the whole tenant.
#
# Written for thousands of instances: no loop calls a function on a whole collection,
# for Terraform would walk it each time.
locals {
  # In the order of key, so that equal input gives an equal declaration. A line feed in a
  # weight becomes a space, which no pattern takes, so that each has one line below.
  seen = [
    for key, s in var.services : {
      key     = key
      service = s.name
      given   = coalesce(s.address, s.node_address, "-")
      port    = s.port
      up      = s.status == null || s.status == "passing" || s.status == "warning"
      weight  = replace(try(coalesce(s.meta["weight"], "-"), "-"), "\n", " ")
      admin   = try(coalesce(s.meta["f5_admin_state"], "enable"), "enable")
      told    = can(s.meta["f5_virtual_address"])
      meta    = s.meta
      user    = s.cts_user_defined_meta
    }
  ]
  # Each address in the one form that the device writes it in, "" for what is none.
  hosts   = [for i in local.seen : try(cidrhost("${i.given}/${replace(i.given, ":", "") == i.given ? 32 : 128}", 0), "")]
  wishes  = regexall("(?m)^(?:(?P<weight>-?[0-9]{1,5})|(?P<none>-)|.*)$", join("\n", local.seen[*].weight))
  weights = merge({ for key, s in var.services : key => 1 }, var.instance_weights)
  states  = { enable = true, disable = true, offline = true }

  judged = [
    for n, i in local.seen : {
      i      = i
      host   = local.hosts[n]
      wish   = local.wishes[n]
      weight = local.wishes[n].weight == null ? floor(local.weights[i.key]) : tonumber(local.wishes[n].weight)
      fits = (
        i.service != "" && i.port >= 1 && i.port <= 65535 && floor(i.port) == i.port &&
        local.hosts[n] != "" && local.hosts[n] != "0.0.0.0" && local.hosts[n] != "::" && (local.hosts[n] == i.given || replace(i.given, ":", "") != i.given)
      )
    }
  ]

  # One member for each address and port of a service: that of an instance that takes
  # traffic, if there is one, else the first.
  firsts = merge(
    { for n, j in local.judged : jsonencode([j.i.service, j.host, j.i.port]) => n... if j.fits },
    { for n, j in local.judged : jsonencode([j.i.service, j.host, j.i.port]) => n... if j.fits && j.i.up },
  )
  kept = { for ns in values(local.firsts) : ns[0] => true }

  skipped = [
    for n, j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason = join("", ["skipped: ", (
        j.i.service == "" ? "it has no service name" :
        j.i.port < 1 || j.i.port > 65535 || floor(j.i.port) != j.i.port ? "its port is not a whole number from 1 to 65535" :
        !j.fits ? "its address is not an IP address" :
        "another instance of the service has the same address and port"
      )])
    } if !can(local.kept[n])
  ]
  odd_values = concat([
    for j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason   = "served with the weight of instance_weights or 1: its meta weight is not a whole number of up to 5 digits"
    } if j.fits && j.wish.weight == null && j.wish.none == null
    ], [
    for j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason   = "served: its meta f5_admin_state is not enable, disable or offline"
    } if j.fits && !can(local.states[j.i.admin])
  ])
}
