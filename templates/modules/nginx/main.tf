locals {
  header  = "# Upstreams from Consul. Written by Terraform: the next run overwrites changes."
  content = join("\n\n", concat([local.header], [for up in local.upstreams : up.text], [""]))

  # Linux takes at most 128 KiB in one variable of a program's environment.
  packed = base64gzip(local.content)
  chunk  = 96 * 1024
  chunks = { for n in range(ceil(length(local.packed) / local.chunk)) : "UPSTREAMS_${n}" => substr(local.packed, n * local.chunk, local.chunk) }
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

  # The last word of interpreter and command is one command line without any quoting:
  # sh apply.sh FILE NGINX...
  provisioner "local-exec" {
    interpreter = concat(["/bin/sh", "${path.module}/apply.sh", var.config_path], slice(var.nginx_command, 0, length(var.nginx_command) - 1))
    command     = var.nginx_command[length(var.nginx_command) - 1]
    environment = merge(local.chunks, { RELOAD_TIMEOUT = var.reload_timeout })
  }
}
