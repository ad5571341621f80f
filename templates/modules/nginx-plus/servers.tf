# Builds what each upstream is to have.
locals {
  asked_for = toset(concat(var.service_names, keys(local.user)))
  user      = { for i in local.seen : i.service => i.user... if i.service != "" }
  # The upstream of each service that can have one.
  names = {
    for service in local.asked_for : service => lookup(var.upstreams, service, service)
    if length(regexall("^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$", lookup(var.upstreams, service, service))) == 1
  }
  owners = { for service, name in local.names : name => service... }

  # What the operator says in cts_user_defined_meta wins over the module's variables
  # for the services that it is given with, and an instance's meta over both.
  settings = {
    max_conns    = { pattern = "^[0-9]{1,6}$", value = tostring(var.max_conns) }
    max_fails    = { pattern = "^[0-9]{1,4}$", value = tostring(var.max_fails) }
    fail_timeout = { pattern = "^[0-9]{1,6}[smhd]?$", value = var.fail_timeout }
    slow_start   = { pattern = "^[0-9]{1,6}[smhd]?$", value = var.slow_start }
    backup       = { pattern = "^(true|false)$", value = "false" }
  }
  asked = {
    for service in keys(local.names) : service => {
      for setting in keys(local.settings) : setting => try(local.user[service][0]["nginx_${setting}"], "")
    }
  }
  chosen = {
    for service, asked in local.asked : service => {
      for setting, s in local.settings : setting => length(regexall(s.pattern, asked[setting])) == 1 ? asked[setting] : s.value
    }
  }
  odd_settings = flatten([
    for service, asked in local.asked : [
      for setting, value in asked : {
        service  = service
        instance = ""
        reason   = "served with the module's ${setting}: nginx_${setting} of cts_user_defined_meta is not a valid value"
      } if value != "" && value != local.chosen[service][setting]
    ]
  ])

  wanted = [
    for n, j in local.weighed : {
      service      = j.i.service
      server       = j.server
      weight       = max(1, min(j.weight, 65535))
      max_conns    = coalesce(local.wishes[n].max_conns, local.chosen[j.i.service].max_conns)
      max_fails    = local.chosen[j.i.service].max_fails
      fail_timeout = local.chosen[j.i.service].fail_timeout
      slow_start   = coalesce(local.wishes[n].slow_start, local.chosen[j.i.service].slow_start)
      backup       = coalesce(local.wishes[n].backup, local.chosen[j.i.service].backup)
      # A stream upstream has no draining: down keeps its sessions and takes no new ones.
      down  = !j.i.up && !j.i.resting || var.context == "stream" && (!j.i.up || j.weight < 1)
      drain = var.context == "http" && (j.i.resting || j.i.up && j.weight < 1)
    } if j.fits
  ]
  of_service = { for w in local.wanted : w.service => w... }

  managed = {
    for name, services in local.owners : name => {
      service = services[0]
      # A line for each server, its fields in the order that reconcile.awk knows.
      lines = [
        for w in try(local.of_service[services[0]], []) :
        join("\t", [w.server, w.weight, w.max_conns, w.max_fails, w.fail_timeout, w.slow_start, w.backup, w.down, w.drain])
      ]
      servers = [
        for w in try(local.of_service[services[0]], []) : join("", [
          "${w.server} weight=${w.weight} max_conns=${w.max_conns} max_fails=${w.max_fails} fail_timeout=${w.fail_timeout} slow_start=${w.slow_start}",
          w.backup == "true" ? " backup" : "", w.down ? " down" : "", w.drain ? " drain" : "",
        ])
      ]
    }
  }
}
