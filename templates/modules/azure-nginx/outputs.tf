output "upstreams" {
  description = "Per service: the name of its upstream and its servers as NGINX has them."
  value = {
    for service, up in local.upstreams : service => { name = up.name, servers = up.servers }
  }
}

output "skipped" {
  description = "What was left out or replaced, and why: service, instance (a key of services, empty for a whole service) and reason."
  value       = concat(local.skipped, local.odd_weights, local.odd_settings, local.odd_canaries)
}
