locals {
  text = join("\n\n", concat(
    ["# Upstreams from Consul. Written by Terraform: the next run overwrites changes."],
    [for up in local.upstreams : up.text],
    [""],
  ))
  files  = merge(var.config_files, { (var.upstreams_path) = local.text })
  secret = nonsensitive(toset(keys(var.protected_files)))
  # As they are sent: base64 takes 4 bytes for 3.
  size = sum(concat([0], [for content in values(local.files) : length(base64encode(content))], [for path in local.secret : nonsensitive(length(base64encode(var.protected_files[path])))]))
}

resource "azurerm_nginx_configuration" "edge" {
  nginx_deployment_id = var.nginx_deployment_id
  root_file           = var.root_file

  dynamic "config_file" {
    for_each = local.files
    content {
      virtual_path = config_file.key
      content      = base64encode(config_file.value)
    }
  }

  dynamic "protected_file" {
    for_each = local.secret
    content {
      virtual_path = protected_file.value
      content      = base64encode(var.protected_files[protected_file.value])
    }
  }

  lifecycle {
    precondition {
      condition     = can(var.config_files[var.root_file]) || contains(local.secret, var.root_file)
      error_message = "No file is ${var.root_file}, where NGINX begins to read (root_file): nothing was changed. Put it into config_files, with an include of ${var.upstreams_path} in its http block."
    }
    precondition {
      condition     = !can(var.config_files[var.upstreams_path]) && length(setintersection(local.secret, keys(local.files))) == 0
      error_message = "A file is there twice: ${join(", ", concat([for path in keys(var.config_files) : path if path == var.upstreams_path], tolist(setintersection(local.secret, keys(local.files)))))}: nothing was changed. upstreams_path is the module's own; what is in protected_files cannot be in config_files."
    }
    precondition {
      condition     = local.size <= 3000000
      error_message = "The configuration has ${local.size} bytes as it is sent, and more than 3,000,000 would not fit into a request to Azure: nothing was changed. Use fewer or smaller files, or split the services over two deployments."
    }
  }
}
