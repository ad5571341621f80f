# Builds the lines of each backend, as slots.awk reads them.
locals {
  services = toset(concat(var.service_names, keys(local.user)))
  user     = { for i in local.seen : i.service => i.user... if i.service != "" }

  # What the operator says in cts_user_defined_meta wins over the module's variables
  # for the services that it is given with.
  settings = {
    mode    = { pattern = "^(|http|tcp)$", value = var.mode }
    balance = { pattern = "^(roundrobin|leastconn|first|random(\\([1-9][0-9]?\\))?|source|uri|hdr\\([A-Za-z0-9_-]{1,64}\\)|url_param [A-Za-z0-9_.-]{1,64})$", value = var.balance }
    check   = { pattern = "^(none|tcp|/[A-Za-z0-9/_.~%?&=-]{0,200})$", value = var.check }
    spare   = { pattern = "^[0-9]{1,4}$", value = tostring(var.spare_slots) }
  }
  asked = {
    for service in local.services : service => {
      for setting in keys(local.settings) : setting => try(coalesce(local.user[service][0]["haproxy_${setting}"], ""), "")
    }
  }
  chosen = {
    for service, asked in local.asked : service => {
      for setting, s in local.settings : setting => asked[setting] != "" && length(regexall(s.pattern, asked[setting])) == 1 ? asked[setting] : s.value
    }
  }
  odd_settings = flatten([
    for service, asked in local.asked : [
      for setting, value in asked : {
        service  = service
        instance = ""
        reason   = "served with the module's ${setting}: haproxy_${setting} of cts_user_defined_meta is not a valid value"
      } if value != "" && value != local.chosen[service][setting]
    ]
  ])

  # Any other name than a plain one gets its digest, so that it is safe and stays unique.
  names = {
    for service in local.services : service => join("", [var.backend_prefix, (
      length(regexall("^[A-Za-z0-9_-]{1,63}$", service)) == 1 ? service :
      "${substr(replace(service, "/[^A-Za-z0-9_-]/", "_"), 0, 40)}.${substr(sha256(service), 0, 20)}"
    )])
  }
  members = { for j in local.weighed : j.i.service => "${j.host} ${j.i.port} ${j.weight} ${j.i.state}"... }

  backends = {
    for service, name in local.names : service => {
      name    = name
      members = try(local.members[service], [])
      text = join("\n", concat(
        ["B ${name} ${local.chosen[service].spare} ${var.defaults_from == "" ? "-" : var.defaults_from}"],
        local.chosen[service].mode == "" ? [] : ["L   mode ${local.chosen[service].mode}"],
        ["L   balance ${local.chosen[service].balance}"],
        # The other kind of hash can change no weight while HAProxy runs.
        length(regexall("^(source|uri|hdr|url_param)", local.chosen[service].balance)) == 0 ? [] : ["L   hash-type consistent"],
        startswith(local.chosen[service].check, "/") ? ["L   option httpchk GET ${local.chosen[service].check}"] : [],
        local.chosen[service].check == "none" ? [] : ["L   default-server check"],
        var.server_options == "" ? [] : ["L   default-server ${var.server_options}"],
        [for line in concat(var.backend_lines, lookup(var.service_lines, service, [])) : "L   ${line}"],
        [for m in try(local.members[service], []) : "M ${m}"],
      ))
    }
  }
}
