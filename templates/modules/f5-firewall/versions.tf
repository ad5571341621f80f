terraform {
  required_version = ">= 1.4.0"

  required_providers {
    bigip = {
      source  = "f5networks/bigip"
      version = ">= 1.28.0, < 2.0.0"
    }
  }
}
