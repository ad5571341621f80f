# Judges every instance. All that follows is written into a file that nft executes,
# and all that Consul has is hostile input: a line gets only what a pattern captured.
#
# Written for thousands of instances: a pattern is compiled once for all of them, and
# no loop calls a function on a whole collection, for Terraform would walk it each time.
locals {
  # In the order of key. A line feed in a value becomes a space, which no pattern
  # takes, so that each has one line below.
  seen = [
    for key, s in var.services : {
      key     = key
      service = s.name
      host    = replace(coalesce(s.address, s.node_address, "-"), "\n", " ")
      port    = s.port
      has     = s.port >= 1 && s.port <= 65535 && floor(s.port) == s.port
      up      = !var.only_healthy || s.status == null || s.status == "passing" || s.status == "warning"
    }
  ]

  # One element for each line, with null for all that the line is not. Only addresses
  # that a host can have: never a network, 0.0.0.0, multicast or broadcast, and no
  # leading zero, which some read as octal.
  hosts = regexall(join("", [
    "(?m)^(?:",
    "(?P<ip4>(?:22[0-3]|2[01][0-9]|1[0-9]{2}|[1-9][0-9]?)(?:\\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3})",
    "|(?P<ip6>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)",
    "|.*)$",
  ]), join("\n", local.seen[*].host))
  # As nft writes it; "" for what is no address of an IPv6 host, an IPv4-mapped one among
  # them, for no packet has it.
  ip6 = {
    for text, same in { for h in local.hosts : coalesce(h.ip6, "-") => true... } :
    text => try(regex("^(?:::.+|[0-9a-e][0-9a-f]*:.*|f[0-9a-e][0-9a-f]*:.*|f:.*)$", cidrhost("${text}/128", 0)), "")
  }

  judged = [
    for n, i in local.seen : {
      i = i
      # The address, "" for none that fits, and its family.
      host   = local.hosts[n].ip6 == null ? coalesce(local.hosts[n].ip4, "-") : local.ip6[local.hosts[n].ip6]
      family = local.hosts[n].ip6 == null ? "ip4" : "ip6"
      fits   = i.service != "" && i.up && (local.hosts[n].ip4 != null || local.hosts[n].ip6 != null && local.ip6[coalesce(local.hosts[n].ip6, "-")] != "")
    }
  ]

  # Elements by the name of their set.
  addresses = { for j in local.judged : "${local.names[j.i.service]}_${j.family}" => j.host... if j.fits }
  ports     = { for j in local.judged : "${local.names[j.i.service]}_${j.family}_port" => "${j.host} . ${j.i.port}"... if j.fits && j.i.has }

  skipped = concat([
    for j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason = join("", ["skipped: ", (
        j.i.service == "" ? "it has no service name" :
        !j.i.up ? "it is not healthy, and only_healthy is set" :
        "its address is not the IP address of a host"
      )])
    } if !j.fits
    ], [
    for j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason   = "only in the sets without port: its port is not a whole number from 1 to 65535"
    } if j.fits && !j.i.has
    ], [
    for service, sets in local.sets : {
      service  = service
      instance = ""
      reason   = "no instance can be in its sets: rules that use them match nothing"
    } if length(sets.elements.ip4) + length(sets.elements.ip6) == 0
  ])
}
