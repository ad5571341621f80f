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
      up      = s.status == null || s.status == "passing" || s.status == "warning"
      weight  = try(tonumber(regex("^-?[0-9]{1,5}$", s.meta["weight"])), var.instance_weights[key], 1)
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

  wanted = var.mode == "gateway" ? { for l in values(var.listeners) : l.service => true... } : {}
  fixed  = { for s, b in var.backends : s => b.port if b.port != null }

  judged = [
    for n, i in local.seen : merge(i, {
      address = local.hosts[n].ip4
      reason = (
        i.service == "" ? "it has no service name" :
        var.mode == "gateway" && !can(local.wanted[i.service]) ? "no listener is for its service" :
        local.hosts[n].ip6 != null ? "its address is IPv6, and ${var.mode == "dns" ? "an A record" : "a backend pool"} takes IPv4 only" :
        local.hosts[n].odd != null ? "its address is one that no other machine can reach" :
        local.hosts[n].ip4 == null ? "its address is no IPv4 address" :
        !i.up ? "its status is neither passing nor warning" :
        i.weight <= 0 ? "its weight is 0" :
        var.mode == "gateway" && (i.port < 1 || i.port > 65535 || floor(i.port) != i.port) ? "its port is not a whole number from 1 to 65535" :
        var.mode == "gateway" && try(local.fixed[i.service] != i.port, false) ? "its port is not the one that backends gives" :
        ""
      )
    })
  ]

  members = { for j in local.judged : j.service => j.address... if j.reason == "" }
  ports   = { for j in local.judged : j.service => j.port... if j.reason == "" }
  skipped = [for j in local.judged : { service = j.service, instance = j.key, reason = "skipped: ${j.reason}" } if j.reason != ""]
}
