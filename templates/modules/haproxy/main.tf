# Few locals and no validation blocks: Terraform spends about a millisecond on each
# expression of its own, however small, and this runs at every change.
locals {
  socket = "^(/[A-Za-z0-9_./@+-]{1,100}|[A-Za-z0-9.-]{1,200}:[0-9]{1,5})$"
  lines  = concat([var.server_options], var.backend_lines, flatten(values(var.service_lines)))
  problems = compact([
    length(regexall("^/([^/[:cntrl:]]+/)*[^./[:cntrl:]][^/[:cntrl:]]*$", var.config_path)) == 1 ? "" :
    "config_path must be the absolute path of a file whose name does not start with a dot",
    length(var.haproxy_command) > 0 && !contains(var.haproxy_command, "") ? "" :
    "haproxy_command must name a program, such as [\"haproxy\", \"-f\", \"/etc/haproxy/haproxy.cfg\", \"-f\", \"/etc/haproxy/patchbay.cfg\"], and have no empty word",
    !contains(var.haproxy_command, "-f") || length(setintersection(var.haproxy_command, [var.config_path, dirname(var.config_path), "${dirname(var.config_path)}/"])) > 0 ? "" :
    "haproxy_command must have -f with config_path or its directory, as HAProxy itself is started",
    length(regexall(local.socket, var.master_socket)) == 1 ? "" : "master_socket must be the absolute path of a unix socket, or HOST:PORT",
    var.stats_socket == "" || length(regexall(local.socket, var.stats_socket)) == 1 ? "" : "stats_socket must be empty, the absolute path of a unix socket, or HOST:PORT",
    contains(var.service_names, "") ? "service_names must have no empty name" : "",
    length(regexall("^[A-Za-z0-9_-]{0,40}$", var.backend_prefix)) == 1 ? "" : "backend_prefix must be of up to 40 of A-Z, a-z, 0-9, _ and -",
    length(regexall("^[A-Za-z0-9_.:-]*$", var.defaults_from)) == 1 ? "" : "defaults_from must be the name of a defaults section",
    length(regexall(local.settings.mode.pattern, var.mode)) == 1 ? "" : "mode must be http, tcp or empty",
    length(regexall(local.settings.balance.pattern, var.balance)) == 1 ? "" :
    "balance must be roundrobin, leastconn, first, random, random(N), source, uri, hdr(NAME) or url_param NAME",
    length(regexall(local.settings.check.pattern, var.check)) == 1 ? "" : "check must be none, tcp, or a path such as /health",
    length(regexall(local.settings.spare.pattern, var.spare_slots)) == 1 ? "" : "spare_slots must be a whole number from 0 to 9999",
    length([for l in local.lines : l if length(regexall("[[:cntrl:]]|^\\s*(global|defaults|frontend|backend|listen|server|server-template|peers|resolvers|userlist|program|http-errors|ring|cache|mailers|fcgi-app|log-forward|crt-store|traces)(\\s|$)", l)) > 0]) == 0 ? "" :
    "server_options, backend_lines and service_lines must each be a single line of a backend, and none that starts a section or a server",
    length(regexall("^[1-9][0-9]{0,2}$", var.reload_timeout)) == 1 ? "" : "reload_timeout must be a whole number of seconds from 1 to 999",
  ])

  packed = base64gzip(join("\n", concat(["1"], [for b in local.backends : b.text], [""])))
}

resource "terraform_data" "backends" {
  # Short enough to read in a plan and to keep in the state: what changed in which
  # backend. The digest also covers the settings of the backend.
  triggers_replace = {
    config_path = var.config_path
    backends = {
      for b in local.backends : b.name => join(" ", concat(
        [for state in ["ready", "drain", "maint"] : "${state}=${length([for m in b.members : m if endswith(m, state)])}"],
        ["sha256=${substr(sha256(b.text), 0, 16)}"]
      ))
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.problems) == 0
      error_message = "Variables of the haproxy module cannot be used; nothing was changed: ${join("; ", local.problems)}."
    }
  }

  # The last word of interpreter and command is one command line without any quoting:
  # sh apply.sh FILE MASTER_SOCKET STATS_SOCKET HAPROXY...
  provisioner "local-exec" {
    interpreter = concat(
      ["/bin/sh", "${path.module}/apply.sh", var.config_path, var.master_socket, var.stats_socket == "" ? "-" : var.stats_socket],
      slice(var.haproxy_command, 0, length(var.haproxy_command) - 1)
    )
    command = var.haproxy_command[length(var.haproxy_command) - 1]
    # Linux takes at most 128 KiB in one variable of a program's environment.
    environment = merge({ RELOAD_TIMEOUT = var.reload_timeout }, {
      for n in range(ceil(length(local.packed) / 98304)) : "BACKENDS_${n}" => substr(local.packed, n * 98304, 98304)
    })
  }
}
