# Few locals and no validation blocks: Terraform spends about a millisecond on each
# expression of its own, however small, and this runs at every change. What is wrong with
# variables stops the plan through output upstreams, which is there without any service too.
locals {
  problems = compact([
    length(var.api_urls) >= 1 && length(var.api_urls) <= 16 && alltrue([
      for url in var.api_urls : length(regexall("^https?://[A-Za-z0-9_.:\\[\\]-]+(/[A-Za-z0-9_.~-]+)+$", url)) == 1
    ]) ? "" : "api_urls must be 1 to 16 addresses such as https://plus-1:8443/api, without version, user or slash at the end",
    length(distinct(var.api_urls)) == length(var.api_urls) ? "" : "api_urls must not have an address twice",
    contains(["http", "stream"], var.context) ? "" : "context must be http or stream",
    length(regexall("^(/[^[:cntrl:]]+)?$", var.credentials_file)) == 1 ? "" : "credentials_file must be an absolute path, or empty",
    length(regexall("^(/[^[:cntrl:]]+)?$", var.ledger_dir)) == 1 ? "" : "ledger_dir must be an absolute path, or empty",
    length(regexall("^[0-9]{1,3}$", var.drain_seconds)) == 1 ? "" : "drain_seconds must be a whole number of seconds from 0 to 999",
    length(regexall("^[1-9][0-9]{0,2}$", var.request_timeout)) == 1 ? "" : "request_timeout must be a whole number of seconds from 1 to 999",
    length(regexall(local.settings.max_conns.pattern, var.max_conns)) == 1 ? "" : "max_conns must be a whole number from 0 to 999999",
    length(regexall(local.settings.max_fails.pattern, var.max_fails)) == 1 ? "" : "max_fails must be a whole number from 0 to 9999",
    length(regexall(local.settings.fail_timeout.pattern, var.fail_timeout)) == 1 ? "" : "fail_timeout must be a number with s, m, h or d, such as 10s",
    length(regexall(local.settings.slow_start.pattern, var.slow_start)) == 1 ? "" : "slow_start must be a number with s, m, h or d, such as 30s",
    length([for service in var.service_names : service if !can(local.names[service])]) == 0 ? "" :
    "service_names must be of services whose name, or whose name in upstreams, is that of an upstream: up to 128 of A-Z a-z 0-9 _ . -",
    length([for services in values(local.owners) : services if length(services) > 1]) == 0 ? "" :
    "upstreams must not give two services the same upstream, for each would remove the servers of the other",
  ])
}

# One for each upstream, so that one that fails stops no other, and a change asks for no
# other.
resource "terraform_data" "servers" {
  for_each = length(local.problems) == 0 ? local.managed : {}

  # Short enough to read in a plan and to keep in the state: what changed in the upstream.
  triggers_replace = {
    api_urls = var.api_urls
    context  = var.context
    upstream = each.key
    servers = join(" ", [
      "servers=${length(each.value.lines)}",
      "down=${length([for line in each.value.lines : line if endswith(line, "\ttrue\tfalse")])}",
      "drain=${length([for line in each.value.lines : line if endswith(line, "\ttrue")])}",
      "sha256=${substr(sha256(join("\n", each.value.lines)), 0, 16)}",
    ])
  }

  # sh apply.sh CONTEXT URL...
  provisioner "local-exec" {
    interpreter = concat(["/bin/sh", "${path.module}/apply.sh", var.context], slice(var.api_urls, 0, length(var.api_urls) - 1))
    command     = var.api_urls[length(var.api_urls) - 1]
    # Linux takes at most 128 KiB in one variable of a program's environment.
    environment = merge({
      UPSTREAM        = each.key
      CREDENTIALS     = var.credentials_file
      LEDGER_DIR      = var.ledger_dir
      DRAIN_SECONDS   = var.drain_seconds
      REMOVE_BUSY     = var.remove_busy
      REQUEST_TIMEOUT = var.request_timeout
      }, [
      for packed in [base64gzip(join("\n", concat(each.value.lines, [""])))] : {
        for n in range(ceil(length(packed) / 98304)) : "SERVERS_${n}" => substr(packed, n * 98304, 98304)
      }
    ]...)
  }
}
