# The fleet `poe-stashes`, where the variable `poe_stashes` is set.

variable "poe_stashes" {
  description = "The variables of modules/poe-stashes. With null, the fleet is not deployed."
  type = object({
    client_id = string
    contact   = string
    bucket    = string
    settings  = optional(map(string))
    secrets   = optional(map(list(string)))
  })
  default = null
}

provider "aws" {
  alias  = "poe_stashes"
  region = var.region

  default_tags {
    tags = merge(local.tags, { fleet = "poe-stashes" })
  }
}

module "poe_stashes" {
  count        = var.poe_stashes == null ? 0 : 1
  source       = "./modules/poe-stashes"
  providers    = { aws = aws.poe_stashes }
  installation = merge(local.installation, { package = "${var.packages}/stint-poe-stashes-arm64.zip" })
  client_id    = var.poe_stashes.client_id
  contact      = var.poe_stashes.contact
  bucket       = var.poe_stashes.bucket
  settings     = var.poe_stashes.settings
  secrets      = var.poe_stashes.secrets
}

output "poe_stashes" {
  description = "Functions, queues, secrets and dashboard of the fleet."
  value       = one(module.poe_stashes)
}

output "poe_stashes_settings" {
  description = "The settings with which an operator's commands reach the fleet, as lines for a shell."
  value       = one(module.poe_stashes[*].settings)
}
