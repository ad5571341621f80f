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
    "method must be round_robin, least_conn, ip_hash, random, random two, random two least_conn, hash KEY or hash KEY consistent",
    length(regexall(local.settings.fail_timeout.pattern, var.fail_timeout)) == 1 ? "" : "fail_timeout must be a number with s, m, h or d, such as 10s",
    length(regexall(local.settings.max_fails.pattern, var.max_fails)) == 1 ? "" : "max_fails must be a whole number from 0 to 9999",
    length(regexall(local.settings.keepalive.pattern, var.keepalive)) == 1 ? "" : "keepalive must be a whole number from 0 to 9999",
    length(regexall("^[1-9][0-9]{0,2}$", var.reload_timeout)) == 1 ? "" : "reload_timeout must be a whole number of seconds from 1 to 999",
  ])

  packed = base64gzip(join("\n\n", concat(
    ["# Upstreams from Consul. Written by Terraform: the next run overwrites changes."],
    [for up in local.upstreams : up.text],
    [""],
  )))
}

resource "terraform_data" "upstreams" {
  # Short enough to read in a plan and to keep in the state: what changed in which
  # upstream. The digest also covers the settings of the upstream.
  triggers_replace = {
    config_path = var.config_path
    upstreams = {
      for up in local.upstreams : up.name =>
      "servers=${length(up.servers)} down=${length([for s in up.servers : s if endswith(s, " down")])} sha256=${substr(sha256(up.text), 0, 16)}"
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.problems) == 0
      error_message = "Variables of the nginx module cannot be used; nothing was changed: ${join("; ", local.problems)}."
    }
  }

  # The last word of interpreter and command is one command line without any quoting:
  # sh apply.sh FILE NGINX...
  provisioner "local-exec" {
    interpreter = concat(["/bin/sh", "${path.module}/apply.sh", var.config_path], slice(var.nginx_command, 0, length(var.nginx_command) - 1))
    command     = var.nginx_command[length(var.nginx_command) - 1]
    # Linux takes at most 128 KiB in one variable of a program's environment.
    environment = merge({ RELOAD_TIMEOUT = var.reload_timeout }, {
      for n in range(ceil(length(local.packed) / 98304)) : "UPSTREAMS_${n}" => substr(local.packed, n * 98304, 98304)
    })
  }
}
