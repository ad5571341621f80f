# Few locals and no validation blocks: Terraform spends about a millisecond on each
# expression of its own, however small, and this runs at every change.
locals {
  problems = compact([
    length(regexall("^/([^/[:cntrl:]]+/)*[^./[:cntrl:]][^/[:cntrl:]]*$", var.file_path)) == 1 ? "" :
    "file_path must be the absolute path of a file whose name does not start with a dot",
    length(regexall("^[A-Za-z][A-Za-z0-9_]{0,62}$", var.table)) == 1 ? "" :
    "table must start with a letter and be of up to 63 letters, digits and _",
    length(var.nft_command) > 0 && !contains(var.nft_command, "") ? "" :
    "nft_command must name a program, such as [\"nft\"] or [\"sudo\", \"-n\", \"nft\"], and have no empty word",
    contains(var.service_names, "") ? "service_names must have no empty name" : "",
    contains(["reject", "drop"], var.refuse) ? "" : "refuse must be reject or drop",
    length(regexall("^[1-9][0-9]{0,5}$", var.max_elements)) == 1 ? "" : "max_elements must be a whole number from 1 to 999999",
    length(regexall("^[1-9][0-9]{0,2}$", var.lock_timeout)) == 1 ? "" : "lock_timeout must be a whole number of seconds from 1 to 999",
    join("; ", concat(
      [for n, a in var.allow : "allow[${n}] must name a service" if a.service == ""],
      [for n, a in var.allow : "allow[${n}] must have ports, whole numbers from 1 to 65535" if length(a.ports) == 0 || !alltrue([for p in a.ports : p >= 1 && p <= 65535 && floor(p) == p])],
      [for n, a in var.allow : "allow[${n}]: protocol must be tcp or udp" if !contains(["tcp", "udp"], a.protocol)],
      flatten([for n, a in var.allow : [
        for net in a.from : "allow[${n}]: from must have networks such as 10.0.0.0/24, and ${jsonencode(net)} is none" if !can(cidrhost(net, 0)) || length(regexall("^[0-9a-fA-F.:]+/[0-9]+$", net)) != 1
      ]]),
    )),
  ])
  crowded = [
    for service, sets in local.sets : "${service} has ${max([for e in values(sets.elements) : length(e)]...)}"
    if max([for e in values(sets.elements) : length(e)]...) > var.max_elements
  ]

  packed = base64gzip(join("\n", concat(
    flatten([for sets in values(local.sets) : sets.text]),
    local.rules,
    [""],
  )))
}

resource "terraform_data" "sets" {
  # Short enough to read in a plan and to keep in the state: what changed for which
  # service. The digest also covers the names of its sets.
  triggers_replace = {
    file_path = var.file_path
    table     = var.table
    rules     = local.rules
    sets = {
      for service, sets in local.sets : service =>
      "ip4=${length(sets.elements.ip4)} ip6=${length(sets.elements.ip6)} ports=${length(sets.elements.ip4_port) + length(sets.elements.ip6_port)} sha256=${substr(sha256(join("\n", sets.text)), 0, 16)}"
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.problems) == 0
      error_message = "Variables of the firewall-nftables module cannot be used; nothing was changed: ${join("; ", local.problems)}."
    }
    precondition {
      condition     = length(local.crowded) == 0
      error_message = "More addresses than max_elements (${var.max_elements}) allows for one service: ${join(", ", local.crowded)}. Nothing was changed and the sets are as before. See whether the task's condition takes too much; if this many are right, raise max_elements."
    }
  }

  # The last word of interpreter and command is one command line without any quoting:
  # sh apply.sh FILE TABLE NFT...
  provisioner "local-exec" {
    interpreter = concat(["/bin/sh", "${path.module}/apply.sh", var.file_path, var.table], slice(var.nft_command, 0, length(var.nft_command) - 1))
    command     = var.nft_command[length(var.nft_command) - 1]
    # Linux takes at most 128 KiB in one variable of a program's environment.
    environment = merge({ LOCK_TIMEOUT = var.lock_timeout }, {
      for n in range(ceil(length(local.packed) / 98304)) : "SETS_${n}" => substr(local.packed, n * 98304, 98304)
    })
  }
}
