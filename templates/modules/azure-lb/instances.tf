# Judges every instance: what Consul has is hostile input, and Azure gets only what a
# pattern captured. Written for many instances: the pattern is compiled once.
locals {
  # In the order of key. A line feed becomes a space, which no pattern takes, so that
  # each host has one line below.
  seen = [
    for key, s in var.services : {
      key     = key
      service = s.name
      host    = replace(coalesce(s.address, s.node_address, "-"), "\n", " ")
      up      = s.status == null || s.status == "passing" || s.status == "warning"
      weight  = try(tonumber(regex("^-?[0-9]{1,5}$", s.meta["weight"])), var.instance_weights[key], 1)
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

  judged = [
    for n, i in local.seen : merge(i, {
      address = local.usable[n]
      reason = (
        i.service == "" ? "it has no service name" :
        !can(var.backend_address_pool_ids[i.service]) ? "backend_address_pool_ids names no pool for its service" :
        local.hosts[n].odd != null ? "its address is one that no other machine can reach" :
        local.usable[n] != null ? !i.up ? "its status is neither passing nor warning" : i.weight <= 0 ? "its weight is 0" : "" :
        local.hosts[n].ip4 != null || local.hosts[n].ip6 != null && can(cidrhost("${local.hosts[n].ip6}/128", 0)) ? "its address is not of ip_family ${var.ip_family}" :
        "its address is no IP address"
      )
    })
  ]

  members = { for j in local.judged : j.service => j.address... if j.reason == "" }
  skipped = [for j in local.judged : { service = j.service, instance = j.key, reason = "skipped: ${j.reason}" } if j.reason != ""]
}
