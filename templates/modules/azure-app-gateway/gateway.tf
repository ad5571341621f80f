# Mode gateway: the whole gateway is one object, which Azure replaces at each change.
locals {
  owned    = var.mode == "gateway" && var.gateway != null ? { edge = var.gateway } : {}
  backends = { for s in keys(local.wanted) : s => try(var.backends[s], null) }

  # Parts of a gateway are compared without case, so any other name than a plain one
  # gets its digest.
  parts = {
    for s in keys(local.wanted) : s => length(regexall("^[a-z0-9]([a-z0-9_-]{0,58}[a-z0-9])?$", s)) == 1 ? s :
    "${substr(replace(lower(s), "/[^a-z0-9_-]/", "_"), 0, 30)}.${substr(sha256(s), 0, 20)}"
  }
  # A set and back: distinct takes a second for some thousand addresses.
  targets = { for s in keys(local.wanted) : s => tolist(toset(try(local.members[s], []))) }
  reached = {
    for s, b in local.backends : s => {
      ports    = try([local.fixed[s]], tolist(toset(local.ports[s])), [80])
      protocol = try(coalesce(b.protocol), "Http")
      host     = try(b.host_name, null)
      path     = try(coalesce(b.path), "/")
      interval = try(coalesce(b.interval), 30)
      timeout  = try(coalesce(b.timeout), 30)
      drain    = try(coalesce(b.drain_seconds), 60)
      affinity = try(coalesce(b.affinity), false)
    }
  }
  listening = {
    for name, l in var.listeners : name => {
      port    = coalesce(l.port, l.certificate == null ? 80 : 443)
      address = l.private ? "private" : "public"
      service = local.parts[l.service]
    } if var.mode == "gateway"
  }
}

resource "azurerm_application_gateway" "edge" {
  for_each            = local.owned
  name                = each.value.name
  resource_group_name = each.value.resource_group_name
  location            = each.value.location
  zones               = each.value.zones
  firewall_policy_id  = each.value.firewall_policy_id
  http2_enabled       = each.value.http2_enabled
  tags                = each.value.tags

  sku {
    name     = each.value.sku
    tier     = each.value.sku
    capacity = each.value.capacity
  }

  dynamic "autoscale_configuration" {
    for_each = each.value.capacity == null ? [each.value] : []
    content {
      min_capacity = autoscale_configuration.value.min_capacity
      max_capacity = autoscale_configuration.value.max_capacity
    }
  }

  dynamic "identity" {
    for_each = length(each.value.identity_ids) > 0 ? [each.value.identity_ids] : []
    content {
      type         = "UserAssigned"
      identity_ids = identity.value
    }
  }

  ssl_policy {
    policy_type = "Predefined"
    policy_name = each.value.ssl_policy
  }

  gateway_ip_configuration {
    name      = "gateway"
    subnet_id = each.value.subnet_id
  }

  frontend_ip_configuration {
    name                 = "public"
    public_ip_address_id = each.value.public_ip_address_id
  }

  dynamic "frontend_ip_configuration" {
    for_each = each.value.private_ip_address == null ? [] : [each.value.private_ip_address]
    content {
      name                          = "private"
      private_ip_address            = frontend_ip_configuration.value
      private_ip_address_allocation = "Static"
      subnet_id                     = each.value.subnet_id
    }
  }

  dynamic "frontend_port" {
    for_each = toset([for l in values(local.listening) : tostring(l.port)])
    content {
      name = "port-${frontend_port.value}"
      port = tonumber(frontend_port.value)
    }
  }

  dynamic "ssl_certificate" {
    for_each = var.certificates
    content {
      name                = ssl_certificate.key
      key_vault_secret_id = ssl_certificate.value
    }
  }

  dynamic "backend_address_pool" {
    for_each = local.targets
    content {
      name         = local.parts[backend_address_pool.key]
      ip_addresses = backend_address_pool.value
    }
  }

  dynamic "backend_http_settings" {
    for_each = local.reached
    content {
      name                                = local.parts[backend_http_settings.key]
      port                                = backend_http_settings.value.ports[0]
      protocol                            = backend_http_settings.value.protocol
      cookie_based_affinity               = backend_http_settings.value.affinity ? "Enabled" : "Disabled"
      request_timeout                     = backend_http_settings.value.timeout
      host_name                           = backend_http_settings.value.host
      pick_host_name_from_backend_address = false
      probe_name                          = local.parts[backend_http_settings.key]

      dynamic "connection_draining" {
        for_each = backend_http_settings.value.drain > 0 ? [backend_http_settings.value.drain] : []
        content {
          enabled           = true
          drain_timeout_sec = connection_draining.value
        }
      }
    }
  }

  dynamic "probe" {
    for_each = local.reached
    content {
      name                                      = local.parts[probe.key]
      protocol                                  = probe.value.protocol
      path                                      = probe.value.path
      interval                                  = probe.value.interval
      timeout                                   = min(probe.value.timeout, probe.value.interval)
      unhealthy_threshold                       = 3
      minimum_servers                           = 0
      host                                      = probe.value.host == null ? "127.0.0.1" : null
      pick_host_name_from_backend_http_settings = probe.value.host != null
    }
  }

  dynamic "http_listener" {
    for_each = local.listening
    content {
      name                           = http_listener.key
      frontend_ip_configuration_name = http_listener.value.address
      frontend_port_name             = "port-${http_listener.value.port}"
      protocol                       = var.listeners[http_listener.key].certificate == null ? "Http" : "Https"
      ssl_certificate_name           = var.listeners[http_listener.key].certificate
      host_names                     = var.listeners[http_listener.key].host_names
    }
  }

  dynamic "request_routing_rule" {
    for_each = local.listening
    content {
      name                       = request_routing_rule.key
      rule_type                  = "Basic"
      priority                   = var.listeners[request_routing_rule.key].priority
      http_listener_name         = request_routing_rule.key
      backend_address_pool_name  = request_routing_rule.value.service
      backend_http_settings_name = request_routing_rule.value.service
    }
  }

  lifecycle {
    precondition {
      condition     = length(var.listeners) > 0 && length(var.listeners) <= 200
      error_message = "A gateway needs 1 to 200 listeners and listeners has ${length(var.listeners)}: nothing was changed. Name in listeners what it listens on."
    }
    precondition {
      condition     = length(local.targets) <= 100
      error_message = "A gateway takes 100 backend pools and listeners names ${length(local.targets)} services: nothing was changed. Split the task."
    }
    precondition {
      condition     = alltrue([for addresses in values(local.targets) : length(addresses) <= 1200])
      error_message = "A backend pool takes 1,200 addresses; too many are known of: ${join(", ", [for s, a in local.targets : "${jsonencode(s)} (${length(a)})" if length(a) > 1200])}: nothing was changed. Split the service, or narrow the task's filter."
    }
    precondition {
      condition     = alltrue([for r in values(local.reached) : length(r.ports) == 1])
      error_message = "The gateway has one port for all instances of a service, and they have several: ${join("; ", [for s, r in local.reached : "${jsonencode(s)} has ${join(", ", sort([for p in r.ports : tostring(p)]))}" if length(r.ports) != 1])}. Nothing was changed. Give all one port, or set port in backends, which leaves the others out."
    }
    precondition {
      condition     = alltrue([for l in values(var.listeners) : l.certificate == null || can(var.certificates[l.certificate])]) && (var.gateway.private_ip_address != null || alltrue([for l in values(var.listeners) : !l.private]))
      error_message = "A listener names a certificate that certificates does not have, or is private while gateway has no private_ip_address: nothing was changed. Correct listeners."
    }
  }
}
