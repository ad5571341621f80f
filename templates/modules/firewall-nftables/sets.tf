# Builds the sets of each service, as commands of nft, and the rules of allow.
locals {
  services = toset(concat(var.service_names, var.allow[*].service, [for i in local.seen : i.service]))
  # A plain name is kept; any other could break nft's syntax, so it is made safe and
  # gets its digest. The dot keeps it apart from every plain name.
  names = {
    for service in local.services : service => (
      length(regexall("^[A-Za-z][A-Za-z0-9_-]{0,62}$", service)) == 1 ? service :
      "s_${substr(replace(service, "/[^A-Za-z0-9_-]/", "_"), 0, 40)}.${substr(sha256(service), 0, 20)}"
    )
  }
  types = {
    ip4      = "ipv4_addr"
    ip6      = "ipv6_addr"
    ip4_port = "ipv4_addr . inet_service"
    ip6_port = "ipv6_addr . inet_service"
  }
  elements = {
    for service, name in local.names : service => {
      ip4      = sort(toset(try(local.addresses["${name}_ip4"], [])))
      ip6      = sort(toset(try(local.addresses["${name}_ip6"], [])))
      ip4_port = sort(toset(try(local.ports["${name}_ip4_port"], [])))
      ip6_port = sort(toset(try(local.ports["${name}_ip6_port"], [])))
    } if service != ""
  }
  # One element in a line: apply.sh compares them with what the kernel has.
  sets = {
    for service, elements in local.elements : service => {
      name     = local.names[service]
      elements = elements
      text = flatten([
        for kind, list in elements : concat(
          [
            "add set inet ${var.table} ${local.names[service]}_${kind} { type ${local.types[kind]}; }",
            "flush set inet ${var.table} ${local.names[service]}_${kind}",
          ],
          length(list) == 0 ? [] : ["add element inet ${var.table} ${local.names[service]}_${kind} {\n\t${join(",\n\t", list)}\n}"],
        )
      ])
    }
  }

  # Accepting in one chain does not override another chain that drops, so the ports of
  # allow are closed here to everybody else, and all other ports are left alone. Who has a
  # connection keeps it. A service without instances has empty sets: its ports are closed.
  rules = flatten([
    for chain, through in { allow_forward = true, allow_input = false } : [
      "add chain inet ${var.table} ${chain} { type filter hook ${through ? "forward" : "input"} priority filter - 1; policy accept; }",
      "flush chain inet ${var.table} ${chain}",
      [
        for rule in concat(
          ["ct state established,related accept"],
          through ? [] : ["iifname \"lo\" accept"],
          flatten([
            for a in var.allow : [
              "ip saddr @${local.names[a.service]}_ip4 ${a.protocol} dport { ${join(", ", a.ports)} } accept",
              "ip6 saddr @${local.names[a.service]}_ip6 ${a.protocol} dport { ${join(", ", a.ports)} } accept",
              [for net in a.from : "${length(regexall(":", net)) > 0 ? "ip6" : "ip"} saddr ${try(cidrhost(net, 0), "-")}/${split("/", "${net}/")[1]} ${a.protocol} dport { ${join(", ", a.ports)} } accept"],
            ] if a.through == through
          ]),
          # A reset, unlike an ICMP answer, is not limited to some in a second.
          distinct([
            for a in var.allow : "${a.protocol} dport { ${join(", ", a.ports)} } ${var.refuse}${var.refuse == "reject" && a.protocol == "tcp" ? " with tcp reset" : ""}"
            if a.through == through
          ]),
        ) : "add rule inet ${var.table} ${chain} ${rule}"
      ],
    ] if anytrue([for a in var.allow : a.through == through])
  ])
}
