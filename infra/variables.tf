variable "region" {
  description = "The region that everything is created in, such as eu-west-1. Queues have fixed names, so that a region holds one installation."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is written as in eu-west-1."
  }
}

variable "package" {
  description = "The zip with the program as `bootstrap`, built for arm64. README.md says how it is made."
  type        = string

  validation {
    condition     = endswith(var.package, ".zip")
    error_message = "package is the path of a zip."
  }
}

variable "lua_repository" {
  description = "The git repository that databases are pushed to. The token GIT_TOKEN opens it, so it has an https address."
  type        = string

  validation {
    condition     = startswith(var.lua_repository, "https://") && !can(regex("@", var.lua_repository))
    error_message = "lua_repository begins with https:// and has no user or token in it: it shows in the function's settings."
  }
}

variable "alarm_email" {
  description = "Who hears of alarms and of the budget. The address gets a mail with a link, and hears nothing before it was clicked."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+$", var.alarm_email))
    error_message = "alarm_email is one mail address."
  }
}

variable "monthly_budget_usd" {
  description = "What the whole account may cost a month, in US dollars, before that address is told. It stops nothing."
  type        = number
  default     = 25

  validation {
    condition     = var.monthly_budget_usd >= 1
    error_message = "monthly_budget_usd is at least 1."
  }
}

variable "concurrency_limit" {
  description = "How many rank fetchers may run at once: the setting CONCURRENCY_LIMIT."
  type        = number
  default     = 50

  # What an event source mapping takes as its maximum:
  # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
  validation {
    condition     = var.concurrency_limit >= 2 && var.concurrency_limit <= 1000
    error_message = "concurrency_limit is from 2 to 1000."
  }
}

variable "reserve_concurrency" {
  description = "Whether each worker's concurrency is taken out of the account's. A new account may have 10 in all, of which nothing can be reserved: false until AWS has raised that."
  type        = bool
  default     = true
}

variable "discovery_source" {
  description = "Where players are found: `pages` of the site, or `reports` of the API, which cost points. Only with `reports`, or with rules_name_servers, may discover read the API keys."
  type        = string
  default     = "pages"

  validation {
    condition     = contains(["pages", "reports"], var.discovery_source)
    error_message = "discovery_source is pages or reports."
  }
}

variable "rules_name_servers" {
  description = "Whether discovery rules name a server (`stint rules add --server`). With `pages` as the source, discover asks the API for a server's id, and may read the API keys for it. Without this such a rule rests, and says that it needs a key."
  type        = bool
  default     = false
}

variable "settings" {
  description = "Further settings of docs/configuration.md, for all workers, such as { WCL_CALL_BUDGET = \"5\" }. They show in the state and in the console: never secrets."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.settings), ["WCL_KEYS", "MONGODB_URI", "GIT_TOKEN", "POE_CLIENT_SECRET"])) == 0
    error_message = "WCL_KEYS, MONGODB_URI, GIT_TOKEN and POE_CLIENT_SECRET are secrets: put them into SSM by hand, as README.md says."
  }

  validation {
    condition     = length(setintersection(keys(var.settings), ["CONCURRENCY_LIMIT", "DISCOVERY_SOURCE", "LUA_REPOSITORY", "WCL_VISIBILITY_SECONDS"])) == 0
    error_message = "CONCURRENCY_LIMIT, DISCOVERY_SOURCE and LUA_REPOSITORY have variables of their own, and WCL_VISIBILITY_SECONDS is the queues'."
  }

  validation {
    condition     = length(setintersection(keys(var.settings), ["POE_BLOBS", "POE_CLIENT_ID", "POE_CONTACT"])) == 0
    error_message = "POE_BLOBS, POE_CLIENT_ID and POE_CONTACT are in the variable poe_stashes."
  }
}

variable "secret_path" {
  description = "The path in SSM Parameter Store below which the secrets are, each named like its setting: PATH/WCL_KEYS, PATH/MONGODB_URI, PATH/GIT_TOKEN."
  type        = string
  default     = "/stint/warcraftlogs"

  validation {
    condition     = can(regex("^(/[a-zA-Z0-9_.-]+)+$", var.secret_path))
    error_message = "secret_path begins with / and does not end with it."
  }
}

variable "secrets_key_arn" {
  description = "The key in KMS that the secrets were encrypted with, if it is not the account's own for SSM."
  type        = string
  default     = null
}

variable "network" {
  description = "The subnets and security groups of the functions, where the database asks for it. They need a way out to the internet then, such as a NAT gateway, which costs more than all the rest."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "log_level" {
  description = "What is logged: the setting STINT_LOG."
  type        = string
  default     = "info"
}

variable "log_retention_days" {
  description = "For how many days logs are kept: one of the numbers that CloudWatch Logs takes."
  type        = number
  default     = 30

  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days is one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731."
  }
}

variable "oldest_message_hours" {
  description = "An alarm rings when a discovered player has waited in the queue for this many hours. More than QUEUE_HOURS (24), after which a full queue is done."
  type        = number
  default     = 72

  # A queue keeps a message for 14 days, and so long after it is too late.
  validation {
    condition     = var.oldest_message_hours >= 1 && var.oldest_message_hours < 14 * 24
    error_message = "oldest_message_hours is from 1 to 335."
  }
}
