# Few locals and no validation blocks: Terraform spends about a millisecond on each
# expression of its own, however small, and this runs at every change.
locals {
  problems = compact([
    length(regexall("^/([^/[:cntrl:]]+/)*[^./[:cntrl:]][^/[:cntrl:]]*$", var.config_path)) == 1 ? "" :
    "config_path must be the absolute path of a file whose name does not start with a dot",
    length(var.nginx_command) > 0 && !contains(var.nginx_command, "") ? "" :
    "nginx_command must name a program, such as [\"nginx\", \"-c\", \"/etc/nginx/edge.conf\"], and have no empty word",
    contains(var.service_names, "") ? "service_names must have no empty name" : "",
    length(regexall("^[a-z0-9_-]*$", var.upstream_prefix)) == 1 ? "" : "upstream_prefix must be of a-z, 0-9, _ and -",
    length(regexall(local.settings.method.pattern, var.method)) == 1 ? "" :
    "method must be round_robin, least_conn, ip_hash (not in stream), random, random two, random two least_conn, hash KEY or hash KEY consistent",
    length(regexall(local.settings.fail_timeout.pattern, var.fail_timeout)) == 1 ? "" : "fail_timeout must be a number with s, m, h or d, such as 10s",
    length(regexall(local.settings.max_fails.pattern, var.max_fails)) == 1 ? "" : "max_fails must be a whole number from 0 to 9999",
    length(regexall(local.settings.keepalive.pattern, var.keepalive)) == 1 ? "" : "keepalive must be a whole number from 0 to 9999, and 0 in stream",
    length(regexall("^[1-9][0-9]{0,2}$", var.reload_timeout)) == 1 ? "" : "reload_timeout must be a whole number of seconds from 1 to 999",
    contains(["http", "stream"], var.context) ? "" : "context must be http or stream",
    var.context != "stream" || var.config_path != "/etc/nginx/conf.d/patchbay-upstreams.conf" ? "" :
    "config_path must be a file that stream { } includes, for context is stream and conf.d/*.conf belongs to http { }",
    length(var.hosts) <= 100 && alltrue([
      for name, h in var.hosts : !contains([
        for text in [
          ["^[A-Za-z0-9_.-]{1,64}$", name], ["^[A-Za-z0-9_.:][A-Za-z0-9_.:-]*$", h.address], ["^[A-Za-z_][A-Za-z0-9_.-]*$", h.user], ["^[1-9][0-9]{0,4}$", h.port],
          ["^/[^[:cntrl:][:space:]\"'%$\\\\]+$", h.key_file], ["^/[^[:cntrl:][:space:]\"'%$\\\\]+$", h.known_hosts_file],
        ] : length(regexall(text[0], text[1])) == 1
      ], false)
    ]) ? "" : "hosts must be at most 100, each with a plain name, address, user and port, and with key_file and known_hosts_file as absolute paths without space, quote, %, $ or backslash",
    length(regexall("^/[^[:cntrl:]]+$", var.ssh_config)) == 1 ? "" : "ssh_config must be an absolute path",
    length(regexall("^[1-9][0-9]{0,2}$", var.connect_timeout)) == 1 ? "" : "connect_timeout must be a whole number of seconds from 1 to 999",
  ])

  head = "# Upstreams from Consul. Written by Terraform: the next run overwrites changes."

  content = var.template != "" ? local.templated : join("\n\n", concat([local.head], [for up in local.upstreams : up.text], [""]))
  packed  = base64gzip(local.content)
}

resource "terraform_data" "upstreams" {
  # Short enough to read in a plan and to keep in the state: what changed in which
  # upstream. The digest also covers the settings of the upstream.
  triggers_replace = merge({
    config_path = var.config_path
    upstreams = {
      for up in local.upstreams : up.name =>
      "servers=${length(up.servers)} down=${length([for s in up.servers : s if endswith(s, " down")])} sha256=${substr(sha256(up.text), 0, 16)}"
    }
    },
    # Only where they are used, so that they change nothing for others.
    { for name, value in { template = substr(sha256(local.templated), 0, 16) } : name => value if var.template != "" },
    { for name, value in { hosts = { for host, h in var.hosts : host => "${h.user}@${h.address}:${h.port}" } } : name => value if length(var.hosts) > 0 },
  )

  lifecycle {
    precondition {
      condition     = length(local.problems) == 0
      error_message = "Variables of the nginx module cannot be used; nothing was changed: ${join("; ", local.problems)}."
    }
  }

  # The last word of interpreter and command is one command line without any quoting:
  # sh apply.sh FILE NGINX..., and remote.sh does so on each of hosts
  provisioner "local-exec" {
    interpreter = concat(["/bin/sh", "${path.module}/${length(var.hosts) > 0 ? "remote" : "apply"}.sh", var.config_path], slice(var.nginx_command, 0, length(var.nginx_command) - 1))
    command     = var.nginx_command[length(var.nginx_command) - 1]
    # Linux takes at most 128 KiB in one variable of a program's environment.
    environment = merge({
      RELOAD_TIMEOUT  = var.reload_timeout
      CONNECT_TIMEOUT = var.connect_timeout
      SSH_CONFIG      = var.ssh_config
      HOSTS = join("\n", [
        for name, h in var.hosts : join("\t", [name, h.address, h.user, h.port, h.key_file, h.known_hosts_file, h.sudo])
      ])
      }, {
      for n in range(ceil(length(local.packed) / 98304)) : "UPSTREAMS_${n}" => substr(local.packed, n * 98304, 98304)
    })
  }
}
