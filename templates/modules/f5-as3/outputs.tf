output "virtual_servers" {
  description = "Per service: its pool and, where it has one, its virtual server with address and port, and its members as address, port, ratio and state."
  value = {
    for service, name in local.names : service => {
      pool    = "/${var.tenant}/${name}/pool"
      virtual = can(local.virtuals[service]) ? "/${var.tenant}/${name}/virtual" : ""
      address = can(local.virtuals[service]) ? local.wanted[service].address : ""
      port    = can(local.virtuals[service]) ? local.wanted[service].port : 0
      members = flatten([for l in try(local.lists[service], []) : [
        for host in l.serverAddresses : "${replace(host, ":", "") == host ? host : "[${host}]"}:${l.servicePort} ratio=${l.ratio} ${l.adminState}"
      ]])
    }
  }
}

output "skipped" {
  description = "What was left out or replaced, and why: service, instance (a key of services, empty for a whole service) and reason."
  value       = concat(local.skipped, local.odd_values, local.odd_settings, local.odd_virtuals, local.odd_pools, local.odd_canaries)
}
