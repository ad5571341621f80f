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
    }
  ]
  # One element for each line, with null for all that the line is not.
  hosts = regexall(join("", [
    "(?m)^(?:",
    "(?P<odd>(?:0|127|22[4-9]|2[3-5][0-9]|169\\.254)\\.[0-9.]*)",
    "|(?P<ip4>(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]))",
    "|(?P<ip6>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)",
    "|.*)$",
  ]), join("\n", local.seen[*].host))

  members = { for n, i in local.seen : i.service => local.hosts[n].ip4... if i.service != "" && local.hosts[n].ip4 != null }

  skipped = [
    for n, i in local.seen : {
      service  = i.service
      instance = i.key
      reason = join("", ["skipped: ", (
        i.service == "" ? "it has no service name" :
        local.hosts[n].ip6 != null ? "its address is IPv6, and an IP group takes IPv4 only" :
        local.hosts[n].odd != null ? "its address is one that no other machine can reach" :
        "its address is no IPv4 address"
      )])
    } if i.service == "" || local.hosts[n].ip4 == null
  ]
}
