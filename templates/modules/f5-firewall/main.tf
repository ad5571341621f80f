# Few locals and no validation blocks: Terraform spends about a millisecond on each
# expression of its own, however small, and this runs at every change.
locals {
  name = "^[A-Za-z][0-9A-Za-z_]{0,63}$"
  problems = compact(concat([
    contains(["data-group", "address-list"], var.kind) ? "" : "kind must be data-group or address-list",
    contains(var.service_names, "") ? "service_names must have no empty name" : "",
    can(regex("^([A-Za-z][0-9A-Za-z_]{0,19})?$", var.prefix)) ? "" : "prefix must be a letter and up to 19 letters, digits and _, or empty",
    can(regex("^[A-Za-z][0-9A-Za-z_.-]{0,63}$", var.partition)) ? "" : "partition must be the name of a partition, such as Common",
    alltrue([for name in values(var.list_names) : can(regex(local.name, name)) && !contains(local.reserved, name)]) ? "" :
    "list_names must have names of a letter and up to 63 letters, digits and _, and no word of AS3 such as class",
    ], var.kind != "address-list" ? [] : [
    can(regex(local.name, var.tenant)) && !contains(["Common", "class", "schemaVersion", "label", "remark", "controls", "constants", "scratch", "updateMode", "id", "target"], var.tenant) ? "" :
    "tenant must be a letter and up to 63 letters, digits and _, and no word of AS3 such as Common",
    can(cidrhost(replace(var.placeholder, "/", "") != var.placeholder ? var.placeholder : "${var.placeholder}/${replace(var.placeholder, ":", "") == var.placeholder ? 32 : 128}", 0)) ? "" :
    "placeholder must be an IP address or a network",
  ]))
}

# One object for each list, whatever the number of its addresses.
resource "bigip_ltm_datagroup" "list" {
  for_each = var.kind == "data-group" ? local.lists : {}

  name = "/${var.partition}/${each.key}"
  type = "ip"

  dynamic "record" {
    # The device keeps addresses with the length of their prefix: any other form would
    # show as a change for ever.
    for_each = each.value
    content {
      name = "${record.value}/${replace(record.value, ":", "") == record.value ? 32 : 128}"
    }
  }
}

# All lists in one declaration of a tenant of their own.
resource "bigip_as3" "lists" {
  count = var.kind == "address-list" ? 1 : 0

  ignore_metadata = true
  as3_json = jsonencode({
    class   = "AS3"
    action  = "deploy"
    persist = true
    declaration = {
      class         = "ADC"
      schemaVersion = "3.20.0"
      label         = "Written by Terraform from Consul"
      (var.tenant) = {
        class = "Tenant"
        # A tenant without any object is removed, and then no plan could read it.
        patchbay = {
          class    = "Application"
          template = "generic"
          owner    = { class = "Data_Group", storageType = "internal", keyDataType = "string", records = [{ key = "owner", value = "patchbay" }] }
        }
        lists = merge({ class = "Application", template = "generic" }, {
          for name, addresses in local.lists : name => {
            class     = "Firewall_Address_List"
            addresses = length(addresses) > 0 ? addresses : [var.placeholder]
          }
        })
      }
    }
  })
}
