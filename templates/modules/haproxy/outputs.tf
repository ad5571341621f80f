output "backends" {
  description = "Per service: the name of its backend and its members as HAProxy has them."
  value = {
    for service, b in local.backends : service => { name = b.name, members = b.members }
  }
}

output "skipped" {
  description = "What was left out or replaced, and why: service, instance (a key of services, empty for a whole service) and reason."
  value       = concat(local.skipped, local.odd_weights, local.odd_settings, local.odd_canaries)
}
