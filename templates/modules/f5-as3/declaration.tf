# Builds the declaration of the tenant.
locals {
  # AS3 takes letters, digits and _ and has words of its own, so any other name than a
  # plain one gets its digest.
  reserved = ["class", "label", "remark", "enable", "constants", "controls", "verifiers", "defaultRouteDomain", "optimisticLockKey", "Shared", "patchbay"]
  names = {
    for service in local.services : service =>
    length(regexall("^[A-Za-z][0-9A-Za-z_]{0,62}$", service)) == 1 && length(regexall("_[0-9a-f]{20}$", service)) == 0 && !contains(local.reserved, service) ? service :
    "s_${substr(replace(service, "/[^0-9A-Za-z_]/", "_"), 0, 30)}_${substr(sha256(service), 0, 20)}"
  }

  members = [
    for n, w in local.weighed : {
      service = w.j.i.service
      host    = w.j.host
      port    = w.j.i.port
      ratio   = w.share > 0 && w.j.i.up ? max(1, floor(w.share * local.scales[w.j.i.service] + 0.5)) : 1
      state   = w.j.i.admin == "offline" ? "offline" : w.j.i.up && w.share > 0 && w.j.i.admin != "disable" ? "enable" : "disable"
    } if can(local.kept[n])
  ]
  # Members that are alike but for their address stand in one list.
  alike = { for m in local.members : jsonencode([m.service, m.port, m.ratio, m.state]) => m.host... }
  lists = {
    for key, hosts in local.alike : jsondecode(key)[0] => {
      servicePort     = jsondecode(key)[1]
      ratio           = jsondecode(key)[2]
      adminState      = jsondecode(key)[3]
      serverAddresses = hosts
      shareNodes      = var.share_nodes
    }...
  }
  weighted = { for service, list in local.lists : service => length(distinct([for l in list : l.ratio if l.adminState == "enable"])) > 1 }
  monitors = { http = "http", https = "http", tcp = "tcp", l4 = "tcp", udp = "icmp" }

  applications = {
    for service, c in local.chosen : local.names[service] => merge({
      class    = "Application"
      template = "generic"
      pool = {
        class             = "Pool"
        loadBalancingMode = c.lb_method.value != "auto" ? c.lb_method.value : try(local.weighted[service], false) ? "ratio-member" : "round-robin"
        monitors = c.monitor.value == "none" ? [] : [
          # A conditional needs one type, JSON has one.
          jsondecode(startswith(c.monitor.value, "/") ? jsonencode({ bigip = c.monitor.value }) :
          jsonencode(c.monitor.value == "" ? local.monitors[c.type.value] : c.monitor.value))
        ]
        members = try(local.lists[service], [])
      }
      }, [
      for v in [local.wanted[service]] : {
        virtual = merge({
          class            = { http = "Service_HTTP", https = "Service_HTTPS", tcp = "Service_TCP", udp = "Service_UDP", l4 = "Service_L4" }[c.type.value]
          virtualAddresses = [v.address]
          virtualPort      = v.port
          pool             = "pool"
          snat             = jsondecode(startswith(c.snat.value, "/") ? jsonencode({ bigip = c.snat.value }) : jsonencode(c.snat.value))
          persistenceMethods = local.persistence[service] == "none" ? [] : [
            jsondecode(startswith(local.persistence[service], "/") ? jsonencode({ bigip = local.persistence[service] }) : jsonencode(local.persistence[service]))
          ]
          }, [
          for tls in [c.client_ssl.value] : { serverTLS = { bigip = tls }, redirect80 = false } if c.type.value == "https"
        ]...)
      } if can(local.virtuals[service])
    ]...)
  }
  # Cookies need HTTP.
  persistence = {
    for service, c in local.chosen : service => c.persistence.value == "cookie" && !contains(["http", "https"], c.type.value) ? "none" : c.persistence.value
  }
  odd_pools = concat([
    for service, c in local.chosen : {
      service  = service
      instance = ""
      reason   = "served without persistence: cookie needs type http or https"
    } if c.persistence.value != local.persistence[service]
    ], [
    for service, c in local.chosen : {
      service  = service
      instance = ""
      reason   = "served without weights: lb_method ${c.lb_method.value} has none; use auto or ratio-member"
    } if try(local.weighted[service], false) && c.lb_method.value != "auto" && length(regexall("ratio|weighted", c.lb_method.value)) == 0
  ])

  declaration = {
    class   = "AS3"
    action  = "deploy"
    persist = true
    declaration = {
      class         = "ADC"
      schemaVersion = "3.20.0"
      label         = "Written by Terraform from Consul"
      (var.tenant) = merge(concat([for d in [var.route_domain] : { defaultRouteDomain = d } if d != 0], [local.applications, {
        class = "Tenant"
        # A tenant without any object is removed, and then no plan could read it.
        patchbay = {
          class    = "Application"
          template = "generic"
          owner    = { class = "Data_Group", storageType = "internal", keyDataType = "string", records = [{ key = "owner", value = "patchbay" }] }
        }
      }])...)
    }
  }
}
