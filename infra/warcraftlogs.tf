# The fleet `warcraftlogs`, where the variable of that name is set.

# Without a default, so that a forgotten value does not delete a fleet.
variable "warcraftlogs" {
  description = "The variables of modules/warcraftlogs. With null, the fleet is not deployed."
  type = object({
    lua_repository          = string
    budget_strategy         = optional(string)
    concurrency_limit       = optional(number)
    discovery_source        = optional(string)
    expired_points          = optional(number)
    oldest_message_hours    = optional(number)
    overdue_discovery_hours = optional(number)
    rules_name_servers      = optional(bool)
    settings                = optional(map(string))
    secrets                 = optional(map(list(string)))
  })
}

provider "aws" {
  alias  = "warcraftlogs"
  region = var.region

  default_tags {
    tags = merge(local.tags, { fleet = "warcraftlogs" })
  }
}

module "warcraftlogs" {
  count                   = var.warcraftlogs == null ? 0 : 1
  source                  = "./modules/warcraftlogs"
  providers               = { aws = aws.warcraftlogs }
  installation            = merge(local.installation, { package = "${var.packages}/stint-warcraftlogs-arm64.zip" })
  lua_repository          = var.warcraftlogs.lua_repository
  budget_strategy         = var.warcraftlogs.budget_strategy
  concurrency_limit       = var.warcraftlogs.concurrency_limit
  discovery_source        = var.warcraftlogs.discovery_source
  expired_points          = var.warcraftlogs.expired_points
  oldest_message_hours    = var.warcraftlogs.oldest_message_hours
  overdue_discovery_hours = var.warcraftlogs.overdue_discovery_hours
  rules_name_servers      = var.warcraftlogs.rules_name_servers
  settings                = var.warcraftlogs.settings
  secrets                 = var.warcraftlogs.secrets
}

output "warcraftlogs" {
  description = "Functions, queues, secrets and dashboard of the fleet."
  value       = one(module.warcraftlogs)
}

output "warcraftlogs_settings" {
  description = "The settings with which an operator's commands reach the fleet, as lines for a shell."
  value       = one(module.warcraftlogs[*].settings)
}
