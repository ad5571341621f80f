output "upstreams" {
  description = "Per service: the name of its upstream and its servers as NGINX is given them."
  value = {
    for name, m in local.managed : m.service => { name = name, servers = m.servers }
  }

  precondition {
    condition     = length(local.problems) == 0
    error_message = "Variables of the nginx-plus module cannot be used; nothing was changed: ${join("; ", local.problems)}."
  }
}

output "skipped" {
  description = "What was left out or replaced, and why: service, instance (a key of services, empty for a whole service) and reason."
  value       = concat(local.skipped, local.odd_wishes, local.odd_settings, local.odd_canaries)
}
