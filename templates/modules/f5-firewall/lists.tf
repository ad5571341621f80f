# Judges every instance and gathers the addresses of each list. Written for thousands of
# instances: no loop calls a function on a whole collection of them.
locals {
  # In the order of key, so that equal input gives equal notes.
  seen = [
    for key, s in var.services : {
      key     = key
      service = s.name
      given   = coalesce(s.address, s.node_address, "-")
    }
  ]
  # Each address in the one form that the device writes it in, "" for what is none.
  addresses = [for i in local.seen : try(cidrhost("${i.given}/${replace(i.given, ":", "") == i.given ? 32 : 128}", 0), "")]
  judged = [
    for n, i in local.seen : {
      i    = i
      host = local.addresses[n]
      fits = i.service != "" && !contains(["", "0.0.0.0", "::"], local.addresses[n]) && (local.addresses[n] == i.given || replace(i.given, ":", "") != i.given)
    }
  ]
  skipped = [
    for j in local.judged : {
      service  = j.i.service
      instance = j.i.key
      reason   = j.i.service == "" ? "skipped: it has no service name" : "skipped: its address is not an IP address"
    } if !j.fits
  ]

  # Words of AS3, which no list can be called.
  reserved = ["class", "label", "remark", "template", "enable", "constants", "serviceMain", "schemaOverlay"]
  # A name that the device does not take as it is gets its digest.
  services = toset(concat(var.service_names, keys({ for i in local.seen : i.service => true... if i.service != "" })))
  names = {
    for service in local.services : service => try(var.list_names[service], join("", [var.prefix, (
      length(regexall("^[A-Za-z][0-9A-Za-z_]{0,39}$", service)) == 1 && length(regexall("_[0-9a-f]{20}$", service)) == 0 && !contains(local.reserved, service) ? service :
      "s_${substr(replace(service, "/[^0-9A-Za-z_]/", "_"), 0, 16)}_${substr(sha256(service), 0, 20)}"
    )]))
  }

  hosts = { for j in local.judged : local.names[j.i.service] => j.host... if j.fits }
  # The keys of an object are in order and each there once.
  lists = {
    for name in toset(values(local.names)) : name => keys({ for h in try(local.hosts[name], []) : h => true... })
  }
  members = { for service, name in local.names : name => service... }
  empty = [
    for name, addresses in local.lists : {
      service  = join(", ", local.members[name])
      instance = ""
      reason   = "list ${name} is empty${var.kind == "address-list" ? " and holds ${var.placeholder} alone" : ""}: no instance of the service has an address"
    } if length(addresses) == 0
  ]
}
