# Judges every instance: what Consul has is hostile input, and Azure gets only what a
# pattern captured. Written for thousands of instances: the pattern is compiled once.
locals {
  # In the order of key. A line feed becomes a space, which no pattern takes, so that
  # each host has one line below.
  seen = [
    for key, s in var.services : {
      key     = key
      service = s.name
      host    = replace(coalesce(s.address, s.node_address, "-"), "\n", " ")
      port    = s.port
    }
  ]
  # One element for each line, with null for all that the line is not.
  hosts = regexall(join("", [
    "(?m)^(?:",
    "(?P<odd>(?:0|127|22[4-9]|2[3-5][0-9]|169\\.254)\\.[0-9.]*|::1?|[fF][eE][89aAbB][0-9a-fA-F]:.*|[fF]{2}..:.*)",
    "|(?P<ip4>(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]))",
    "|(?P<ip6>[0-9A-Fa-f:]*:[0-9A-Fa-f:]*)",
    "|.*)$",
  ]), join("\n", local.seen[*].host))
  # As Azure writes them; null is what is no address of the family.
  usable = [for h in local.hosts : var.ip_family == "IPv4" ? h.ip4 : try(cidrhost("${h.ip6}/128", 0), null)]

  members = { for n, i in local.seen : i.service => local.usable[n]... if i.service != "" && local.usable[n] != null }
  opened = {
    for n, i in local.seen : i.service => tostring(i.port)...
    if i.service != "" && local.usable[n] != null && i.port >= 1 && i.port <= 65535 && floor(i.port) == i.port
  }

  skipped = [
    for n, i in local.seen : {
      service  = i.service
      instance = i.key
      reason = join("", ["skipped: ", (
        i.service == "" ? "it has no service name" :
        local.hosts[n].odd != null ? "its address is one that no other machine can reach" :
        local.hosts[n].ip4 != null || local.hosts[n].ip6 != null && can(cidrhost("${local.hosts[n].ip6}/128", 0)) ? "its address is not of ip_family ${var.ip_family}" :
        "its address is no IP address"
      )])
    } if i.service == "" || local.usable[n] == null
  ]
}
