# Builds the text of each upstream.
locals {
  services = toset(concat(var.service_names, keys(local.user)))
  user     = { for i in local.seen : i.service => i.user... if i.service != "" }

  # What the operator says in cts_user_defined_meta wins over the module's variables
  # for the services that it is given with.
  settings = {
    method       = { pattern = "^(round_robin|least_conn|ip_hash|random( two( least_conn)?)?|hash [$A-Za-z0-9_:.-]+( consistent)?)$", value = var.method }
    fail_timeout = { pattern = "^[0-9]{1,6}[smhd]?$", value = var.fail_timeout }
    max_fails    = { pattern = "^[0-9]{1,4}$", value = tostring(var.max_fails) }
    keepalive    = { pattern = "^[0-9]{1,4}$", value = tostring(var.keepalive) }
  }
  asked = {
    for service in local.services : service => {
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
  # hash … consistent holds 160 points in memory for each unit of weight.
  heaviest = { for service, c in local.chosen : service => endswith(c.method, " consistent") ? 1000 : 65535 }

  # NGINX compares names of upstreams without case, and a name with a dot could take
  # the place of a real host, so any other name than a plain one gets its digest.
  names = {
    for service in local.services : service => join("", [var.upstream_prefix, (
      length(regexall("^[a-z0-9_-]{1,63}$", service)) == 1 ? service :
      "${substr(replace(lower(service), "/[^a-z0-9_-]/", "_"), 0, 40)}.${substr(sha256(service), 0, 20)}"
    )])
  }
  resolved = { for j in local.judged : j.i.service => 1... if j.host.name != null }
  servers = {
    for j in local.weighed : j.i.service => join("", [
      j.host.ip6 == null ? coalesce(j.host.ip4, j.host.name) : "[${j.host.ip6}]", ":", j.i.port,
      " weight=", max(1, min(j.weight, local.heaviest[j.i.service])),
      " max_fails=", local.chosen[j.i.service].max_fails, " fail_timeout=", local.chosen[j.i.service].fail_timeout,
      j.i.up && j.weight >= 1 ? "" : " down",
    ])... if j.fits
  }

  upstreams = {
    for service, name in local.names : service => {
      name    = name
      servers = try(local.servers[service], [])
      # NGINX refuses an upstream without server, and one whose zone is too small. A
      # name may resolve to several addresses, each of which takes a server's room.
      text = join("\n", concat(
        ["upstream ${name} {"],
        ["  zone ${name} ${64 + length(try(local.servers[service], [])) + 8 * length(try(local.resolved[service], []))}k;"],
        local.chosen[service].method == "round_robin" ? [] : ["  ${local.chosen[service].method};"],
        [for s in try(local.servers[service], ["127.0.0.1:1 down"]) : "  server ${s};"],
        local.chosen[service].keepalive == "0" ? [] : ["  keepalive ${local.chosen[service].keepalive};"],
        ["}"],
      ))
    }
  }
}
