# Judges every instance. All that Consul has is hostile input: a request gets only what
# a pattern captured.
#
# Written for thousands of instances: a pattern is compiled once for all of them, and
# no loop calls a function on a whole collection, for Terraform would walk it each time.
locals {
  # In the order of key. A line feed in a value becomes a space, so that each instance has
  # one line in what the patterns read; a tab makes one field too many, which fits nothing.
  seen = [
    for key, s in var.services : {
      key     = key
      service = s.name
      host    = replace(coalesce(s.address, s.node_address, "-"), "\n", " ")
      port    = s.port
      up      = s.status == null || s.status == "passing" || s.status == "warning"
      resting = s.status == "maintenance"
      user    = s.cts_user_defined_meta
      wish = s.meta == null ? "-\t-\t-\t-" : replace(join("\t", [
        lookup(s.meta, "weight", "-"), lookup(s.meta, "max_conns", "-"), lookup(s.meta, "slow_start", "-"), lookup(s.meta, "backup", "-"),
      ]), "\n", " ")
    }
  ]

  # One element for each line, with null for all that the line is not.
  hosts = regexall(join("", [
    "(?m)^(?:",
    "(?P<ip4>(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9]))",
    "|(?P<ip6>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)",
    "|(?P<name>[A-Za-z0-9_.-]*[A-Za-z][A-Za-z0-9_.-]*)",
    "|.*)$",
  ]), join("\n", local.seen[*].host))
  wishes = regexall(join("", [
    "(?m)^(?:",
    "(?:(?P<weight>-?[0-9]{1,5})|(?P<no_weight>-)|[^\\t\\n]*)\\t",
    "(?:(?P<max_conns>[0-9]{1,6})|(?P<no_max_conns>-)|[^\\t\\n]*)\\t",
    "(?:(?P<slow_start>[0-9]{1,6}[smhd]?)|(?P<no_slow_start>-)|[^\\t\\n]*)\\t",
    "(?:(?P<backup>true|false)|(?P<no_backup>-)|[^\\t\\n]*)",
    "|.*)$",
  ]), join("\n", local.seen[*].wish))
  # As NGINX writes it, so that what it has is found again; "" for what is none.
  ip6     = merge({ "-" = [""] }, { for h in local.hosts : h.ip6 => try(cidrhost("${h.ip6}/128", 0), "")... if h.ip6 != null })
  weights = merge({ for key, s in var.services : key => 1 }, var.instance_weights)

  placed = [
    for n, i in local.seen : {
      i      = i
      weight = local.wishes[n].weight == null ? floor(local.weights[i.key]) : tonumber(local.wishes[n].weight)
      server = join("", [
        local.hosts[n].ip4 != null ? local.hosts[n].ip4 :
        local.hosts[n].ip6 != null && can(regex(":", local.ip6[coalesce(local.hosts[n].ip6, "-")][0])) ? "[${local.ip6[coalesce(local.hosts[n].ip6, "-")][0]}]" :
        local.hosts[n].name != null && var.allow_host_names ? lower(local.hosts[n].name) : "",
        ":", i.port
      ])
      named = local.hosts[n].name != null
      ok    = i.service != "" && i.port >= 1 && i.port <= 65535 && floor(i.port) == i.port
    }
  ]
  # The first of those with one address; the API would take each as a server of its own.
  firsts = { for n, p in local.placed : jsonencode([p.i.service, p.server]) => n... }
  judged = [
    for n, p in local.placed : merge(p, {
      twin = local.firsts[jsonencode([p.i.service, p.server])][0] != n
      fits = p.ok && !startswith(p.server, ":") && local.firsts[jsonencode([p.i.service, p.server])][0] == n && can(local.names[p.i.service])
    })
  ]

  skipped = [
    for j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason = join("", ["skipped: ", (
        j.i.service == "" ? "it has no service name" :
        !can(local.names[j.i.service]) ? "the name of its service cannot be that of an upstream; give one in upstreams" :
        !j.ok ? "its port is not a whole number from 1 to 65535" :
        startswith(j.server, ":") && j.named ? "its address is a host name, which allow_host_names refuses" :
        startswith(j.server, ":") ? "its address is neither an IP address nor a host name" :
        "its address and port are those of another instance of the service"
      )])
    } if !j.fits
  ]
  odd_wishes = flatten([
    for n, j in local.judged : [
      for name in ["weight", "max_conns", "slow_start", "backup"] : {
        service  = j.i.service
        instance = j.i.key
        reason   = "served without its meta ${name}: it is not a valid value"
      } if local.wishes[n][name] == null && local.wishes[n]["no_${name}"] == null
    ] if j.fits
  ])
}
