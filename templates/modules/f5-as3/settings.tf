# Finds the settings of each service: the operator's in virtual_servers win over those
# in cts_user_defined_meta, those over the ones in the meta of instances, those over
# defaults.
locals {
  path = "/[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+"
  methods = join("|", concat(["round-robin", "ratio-member", "ratio-node", "ratio-session", "fastest-node", "fastest-app-response", "least-sessions"], flatten([
    for m in ["least-connections", "weighted-least-connections", "ratio-least-connections", "dynamic-ratio", "observed", "predictive"] : ["${m}-member", "${m}-node"]
  ])))
  settings = {
    virtual_address = { pattern = "^[0-9A-Fa-f.:]+$", value = "" }
    virtual_port    = { pattern = "^[0-9]{1,5}$", value = "" }
    type            = { pattern = "^(?:http|https|tcp|udp|l4)$", value = "http" }
    monitor         = { pattern = "^(?:none|http|https|icmp|tcp|tcp-half-open|${local.path})$", value = "" }
    persistence     = { pattern = "^(?:none|cookie|source-address|destination-address|tls-session-id|${local.path})$", value = "none" }
    lb_method       = { pattern = "^(?:auto|${local.methods})$", value = "auto" }
    snat            = { pattern = "^(?:auto|none|self|${local.path})$", value = "auto" }
    client_ssl      = { pattern = "^${local.path}$", value = "" }
  }

  # The instance that speaks for its service: the first one with a virtual address in
  # its meta, else the first one.
  speakers = merge(
    { for i in local.seen : i.service => i... if i.service != "" },
    { for i in local.seen : i.service => i... if i.service != "" && i.told },
  )
  services = toset(concat(keys(var.virtual_servers), keys(local.speakers)))

  # By service and setting: what was asked, by whom (3 the operator of this module, 2 of
  # the task, 1 the instance, 0 nobody), the strongest first.
  asked = {
    for service in local.services : service => {
      for name, s in local.settings : name => [
        for a in [
          { rank = 3, value = try(var.virtual_servers[service][name], "") },
          { rank = 2, value = try(local.speakers[service][0].user["f5_${name}"], "") },
          { rank = 1, value = try(local.speakers[service][0].meta["f5_${name}"], "") },
          { rank = 0, value = try(coalesce(var.defaults[name], s.value), s.value) },
          ] : {
          rank  = a.rank
          value = a.value
          fits = (
            name == "virtual_address" ? a.value == "" && a.rank == 0 || can(cidrhost("${a.value}/${replace(a.value, ":", "") == a.value ? 32 : 128}", 0)) && (
              a.rank != 1 || anytrue([for net in var.virtual_networks : try(cidrhost("${a.value}/${split("/", net)[1]}", 0) == cidrhost(net, 0), false)])
            ) :
            a.rank == 0 || can(regex(s.pattern, a.value)) && (name != "virtual_port" || try(tonumber(a.value) >= 1 && tonumber(a.value) <= 65535, false))
          )
        } if a.value != "" || a.rank == 0
      ]
    }
  }
  chosen = {
    for service, asked in local.asked : service => {
      for name, list in asked : name => [for a in list : a if a.fits][0]
    }
  }
  odd_settings = flatten([
    for service, asked in local.asked : [
      for name, list in asked : [
        for a in list : {
          service  = service
          instance = ""
          reason   = "f5_${name} of ${a.rank == 2 ? "cts_user_defined_meta" : "the meta of its instances"} was left out: it is not a value that the setting takes"
        } if !a.fits && a.rank < 3
      ]
    ]
  ])

  # The virtual server of each service; address is "" where it can have none.
  wanted = {
    for service, c in local.chosen : service => {
      address = try(cidrhost("${c.virtual_address.value}/${replace(c.virtual_address.value, ":", "") == c.virtual_address.value ? 32 : 128}", 0), "")
      port    = try(tonumber(c.virtual_port.value), c.type.value == "http" ? 80 : c.type.value == "https" ? 443 : 0)
      rank    = c.virtual_address.rank
      lacks = compact([
        c.virtual_address.value == "" ? "virtual_address" : "",
        c.virtual_port.value == "" && !contains(["http", "https"], c.type.value) ? "virtual_port" : "",
        c.client_ssl.value == "" && c.type.value == "https" ? "client_ssl" : "",
      ])
    }
  }
  # Who wants one address and port, the strongest first: what an operator wrote beats
  # what instances say of themselves.
  claims = {
    for service, w in local.wanted : "${w.address} port ${w.port} ${local.chosen[service].type.value == "udp" ? "udp" : "tcp"}" =>
    "${3 - w.rank} ${service}"... if length(w.lacks) == 0
  }
  losers = merge([
    for claim, by in local.claims : { for who in slice(sort(by), 1, length(by)) : substr(who, 2, -1) => {
      claim = claim, winner = substr(sort(by)[0], 2, -1), meta = startswith(who, "2 ")
    } }
  ]...)
  virtuals = { for service, w in local.wanted : service => w if length(w.lacks) == 0 && !can(local.losers[service]) }

  odd_virtuals = concat([
    for service, w in local.wanted : {
      service  = service
      instance = ""
      reason   = "has a pool but no virtual server: it has no ${join(" and no ", w.lacks)}"
    } if length(w.lacks) > 0
    ], [
    for service, l in local.losers : {
      service  = service
      instance = ""
      reason   = "has a pool but no virtual server: service ${l.winner} has ${l.claim}"
    } if l.meta
  ])
}
