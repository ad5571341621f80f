# What a template of the user's own writes. It gets nothing that NGINX could misread,
# so that a template is safe however it puts the values together.
locals {
  of_service = { for j in local.weighed : j.i.service => j... if j.fits && var.template != "" }
  for_template = {
    upstreams = [
      for service, up in local.upstreams : {
        # A name that is not plain has its upstream's, which is.
        service      = length(regexall("^[A-Za-z0-9_.-]{1,253}$", service)) == 1 ? service : up.name
        name         = up.name
        text         = up.text
        method       = local.chosen[service].method
        max_fails    = tonumber(local.chosen[service].max_fails)
        fail_timeout = local.chosen[service].fail_timeout
        keepalive    = tonumber(local.chosen[service].keepalive)
        servers = [
          for n, j in try(local.of_service[service], []) : {
            host   = j.host.ip6 == null ? coalesce(j.host.ip4, j.host.name) : "[${j.host.ip6}]"
            port   = j.i.port
            weight = max(1, min(j.weight, local.heaviest[service]))
            down   = !(j.i.up && j.weight >= 1)
            text   = up.servers[n]
          }
        ]
      } if var.template != ""
    ]
  }
  templated = var.template == "" ? "" : join("\n", [local.head, templatefile(var.template, local.for_template)])
}
