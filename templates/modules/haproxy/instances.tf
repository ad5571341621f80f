# Judges every instance. All that follows is written into HAProxy's configuration and
# said on its socket, and all that Consul has is hostile input: only what a pattern
# captured gets there.
#
# Written for thousands of instances: a pattern is compiled once for all of them, and
# no loop calls a function on a whole collection, for Terraform would walk it each time.
locals {
  # In the order of key, so that equal input gives equal text. A line feed in a value
  # becomes a space, which no pattern takes, so that each has one line below.
  seen = [
    for key, s in var.services : {
      key     = key
      service = s.name
      host    = replace(coalesce(s.address, s.node_address, "-"), "\n", " ")
      port    = s.port
      # Traffic, none that is new, or none at all.
      state  = s.status == null || s.status == "passing" || s.status == "warning" ? "ready" : s.status == "maintenance" ? "drain" : "maint"
      weight = replace(s.meta == null ? "-" : lookup(s.meta, "weight", "-"), "\n", " ")
      user   = s.cts_user_defined_meta
    }
  ]

  # One element for each line, with null for all that the line is not. To HAProxy,
  # 0.0.0.0 as a server is wherever the client wanted to go.
  hosts = regexall(join("", [
    "(?m)^(?:",
    "(?P<ip4>(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]?)(?:\\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){3})",
    "|(?P<ip6>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)",
    "|(?P<name>[A-Za-z0-9_.-]*[A-Za-z][A-Za-z0-9_.-]*)",
    "|.*)$",
  ]), join("\n", local.seen[*].host))
  wishes = regexall("(?m)^(?:(?P<weight>-?[0-9]{1,5})|(?P<none>-)|.*)$", join("\n", local.seen[*].weight))
  # An IPv6 address in the form in which HAProxy tells it; "" in ip6 for what is none, stands
  # for any address, or is of the kind that embeds an IPv4 address (written in two forms).
  canonical = { for h in local.hosts : h.ip6 => try(cidrhost("${h.ip6}/128", 0), "-")... if h.ip6 != null }
  plain     = regexall("(?m)^(?:(?P<odd>::(?:[0-9a-f]+:[0-9a-f]+)?|.*[^0-9a-f:\n].*)|.*)$", join("\n", [for forms in local.canonical : forms[0]]))
  ip6       = { for n, text in keys(local.canonical) : text => local.plain[n].odd == null ? local.canonical[text][0] : "" }
  weights   = merge({ for key, s in var.services : key => 1 }, var.instance_weights)

  judged = [
    for n, i in local.seen : {
      i      = i
      host   = local.hosts[n].ip4 != null ? local.hosts[n].ip4 : local.hosts[n].ip6 != null ? local.ip6[local.hosts[n].ip6] : local.hosts[n].name
      named  = local.hosts[n].name != null
      wish   = local.wishes[n]
      weight = local.wishes[n].weight == null ? floor(local.weights[i.key]) : tonumber(local.wishes[n].weight)
      fits = (
        i.service != "" && i.port >= 1 && i.port <= 65535 && floor(i.port) == i.port &&
        (local.hosts[n].ip4 != null || try(local.ip6[local.hosts[n].ip6], "") != "" || local.hosts[n].name != null && var.allow_host_names)
      )
    }
  ]

  skipped = [
    for j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason = join("", ["skipped: ", (
        j.i.service == "" ? "it has no service name" :
        j.i.port < 1 || j.i.port > 65535 || floor(j.i.port) != j.i.port ? "its port is not a whole number from 1 to 65535" :
        j.named ? "its address is a host name, which allow_host_names refuses" :
        "its address is neither an IP address that a server can have nor a host name"
      )])
    } if !j.fits
  ]
  odd_weights = [
    for j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason   = "served with the weight of instance_weights or 1: its meta weight is not a whole number of up to 5 digits"
    } if j.fits && j.wish.weight == null && j.wish.none == null
  ]
}
