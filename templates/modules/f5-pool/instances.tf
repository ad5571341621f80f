# Judges every instance. All that Consul has is hostile input: the device gets only what
# a pattern captured.
#
# Written for thousands of instances: a pattern is compiled once for all of them, and
# no loop calls a function on a whole collection, for Terraform would walk it each time.
locals {
  # Full paths, as in ltm; AS3's task ids have ~ in the place of /.
  paths = { for service, pool in var.pools : service => replace(pool, "~", "/") }

  # In the order of key, so that equal input gives an equal plan. A line feed in a value
  # becomes a space, which no pattern takes, so that each has one line below.
  seen = [
    for key, s in var.services : {
      key     = key
      service = s.name
      pool    = try(local.paths[s.name], null)
      host    = replace(coalesce(s.address, s.node_address, "-"), "\n", " ")
      port    = s.port
      up      = s.status == null || s.status == "passing" || s.status == "warning"
      weight  = replace(s.meta == null ? "-" : lookup(s.meta, "weight", "-"), "\n", " ")
    }
  ]

  # One element for each line, with null for all that the line is not. A leading zero
  # is octal to some.
  hosts = regexall(join("", [
    "(?m)^(?:",
    "(?P<ip4>(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9]))",
    "|(?P<ip6>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)",
    "|(?P<name>[A-Za-z0-9_.-]*[A-Za-z][A-Za-z0-9_.-]*)",
    "|.*)$",
  ]), join("\n", local.seen[*].host))
  wishes = regexall("(?m)^(?:(?P<weight>-?[0-9]{1,5})|(?P<none>-)|.*)$", join("\n", local.seen[*].weight))
  # The one form of an IPv6 address that the device answers with, null for none.
  ip6     = merge({ "-" = [null] }, { for h in local.hosts : h.ip6 => try(cidrhost("${h.ip6}/128", 0), null)... if h.ip6 != null })
  weights = merge({ for key, s in var.services : key => 1 }, var.instance_weights)

  judged = [
    for n, i in local.seen : {
      i      = i
      name   = local.hosts[n].name
      ip     = local.hosts[n].ip4 != null ? local.hosts[n].ip4 : local.ip6[coalesce(local.hosts[n].ip6, "-")][0]
      odd    = local.wishes[n].weight == null && local.wishes[n].none == null
      weight = local.wishes[n].weight == null ? floor(local.weights[i.key]) : tonumber(local.wishes[n].weight)
    }
  ]
  fits = [for j in local.judged : j.i.pool != null && j.ip != null && j.i.port >= 1 && j.i.port <= 65535 && floor(j.i.port) == j.i.port]
  # As the device names members: an IPv6 address has a dot before the port.
  names = [for j in local.judged : j.ip == null ? "" : "${j.ip}${length(split(":", j.ip)) > 1 ? "." : ":"}${j.i.port}"]

  skipped = concat([
    for service in keys({ for i in local.seen : i.service => 1... if i.pool == null }) : {
      service  = service
      instance = ""
      reason   = "skipped: variable pools names no pool for it"
    }
    ], [
    for n, j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason = join("", ["skipped: ", (
        j.name != null ? "its address is a host name; a member needs an IP address" :
        j.ip == null ? "its address is no IP address" :
        "its port is not a whole number from 1 to 65535"
      )])
    } if !local.fits[n] && j.i.pool != null
  ])
}
