output "sets" {
  description = "Per service: the name that its sets start with, and the elements of the sets NAME_ip4, NAME_ip6, NAME_ip4_port and NAME_ip6_port."
  value       = { for service, sets in local.sets : service => { name = sets.name, elements = sets.elements } }
}

output "skipped" {
  description = "What was left out, and why: service, instance (a key of services, empty for a whole service) and reason."
  value       = local.skipped
}
