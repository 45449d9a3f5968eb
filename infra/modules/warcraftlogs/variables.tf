variable "installation" {
  description = "What all fleets of the installation share: the local value of that name in infra/installation.tf."
  type = object({
    prefix              = string
    region              = string
    account             = string
    partition           = string
    queue_prefix        = string
    metrics_namespace   = string
    alarms_topic_arn    = string
    package             = string
    secrets_key_arn     = optional(string)
    log_retention_days  = number
    reserve_concurrency = bool
    environment         = map(string)
    network = optional(object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    }))
  })
}

variable "lua_repository" {
  description = "The git repository that databases are pushed to. Its address starts with https://, because GIT_TOKEN authenticates the push."
  type        = string

  validation {
    condition     = startswith(var.lua_repository, "https://") && !can(regex("@", var.lua_repository))
    error_message = "lua_repository must start with https:// and contain no user and no token, because it is visible in the function's settings."
  }
}

variable "concurrency_limit" {
  description = "How many rank fetchers may run at once: the setting CONCURRENCY_LIMIT."
  type        = number
  default     = 50
  nullable    = false

  # The range of an event source mapping's maximum concurrency:
  # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
  validation {
    condition     = var.concurrency_limit >= 2 && var.concurrency_limit <= 1000
    error_message = "concurrency_limit must be from 2 to 1000."
  }
}

variable "budget_strategy" {
  description = "How points are rationed: the setting BUDGET_STRATEGY. With `worst-case`, the source document's own rule, the planners may also change the rank fetcher's reserved concurrency, which must then be reserved."
  type        = string
  default     = "ledger"
  nullable    = false

  validation {
    condition     = contains(["ledger", "worst-case"], var.budget_strategy)
    error_message = "budget_strategy must be ledger or worst-case."
  }

  validation {
    condition     = var.budget_strategy == "ledger" || var.installation.reserve_concurrency
    error_message = "budget_strategy = \"worst-case\" steers the reserved concurrency, so it needs reserve_concurrency = true."
  }
}

variable "discovery_source" {
  description = "Where players are found: `pages` of the site, or `reports` of the API, which cost points. Only with `reports`, or with rules_name_servers, may discover read the API keys."
  type        = string
  default     = "pages"
  nullable    = false

  validation {
    condition     = contains(["pages", "reports"], var.discovery_source)
    error_message = "discovery_source must be pages or reports."
  }
}

variable "rules_name_servers" {
  description = "Whether discovery rules name a server (`stint wcl rules add --server`). With `pages` as the source, discover asks the API for a server's id, and may read the API keys for it. Otherwise such a rule is paused, with the reason that it needs a key."
  type        = bool
  default     = false
  nullable    = false
}

variable "oldest_message_hours" {
  description = "After how many hours of waiting a discovered player raises an alarm. It should exceed QUEUE_HOURS (24), the time in which a full queue is processed."
  type        = number
  default     = 72
  nullable    = false

  # A queue keeps a message for 14 days, so an alarm after that would be too late.
  validation {
    condition     = var.oldest_message_hours >= 1 && var.oldest_message_hours < 14 * 24
    error_message = "oldest_message_hours must be from 1 to 335."
  }
}

variable "overdue_discovery_hours" {
  description = "After how many hours of being due a discovery rule raises an alarm. Rules are read one after the other, so the last of many is due for a while every day."
  type        = number
  default     = 12
  nullable    = false

  validation {
    condition     = var.overdue_discovery_hours >= 1
    error_message = "overdue_discovery_hours must be at least 1."
  }
}

variable "expired_points" {
  description = "How many points, of all keys together, may expire in an hour in which the queue is never empty without raising an alarm."
  type        = number
  default     = 500
  nullable    = false

  validation {
    condition     = var.expired_points >= 0
    error_message = "expired_points must not be negative."
  }
}

variable "settings" {
  description = "Further settings of docs/configuration.md, for all workers of the fleet, such as { WCL_CALL_BUDGET = \"5\" }. They are visible in the state and in the console, so they must not contain secrets."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.settings), ["GIT_TOKEN", "MONGODB_URI", "WCL_KEYS"])) == 0
    error_message = "GIT_TOKEN, MONGODB_URI and WCL_KEYS are secrets: create them in SSM by hand, as README.md describes."
  }

  validation {
    condition     = length(setintersection(keys(var.settings), ["BUDGET_STRATEGY", "CONCURRENCY_LIMIT", "DISCOVERY_SOURCE", "LUA_REPOSITORY", "WCL_VISIBILITY_SECONDS"])) == 0
    error_message = "BUDGET_STRATEGY, CONCURRENCY_LIMIT, DISCOVERY_SOURCE and LUA_REPOSITORY are set by variables of their own, and WCL_VISIBILITY_SECONDS by the queues."
  }
}

variable "secrets" {
  description = "Further settings that a worker reads from SSM, by worker: a setting of the fleet whose value must not be in the state or in the console, such as a webhook's address. Create each parameter by hand, as README.md describes."
  type        = map(list(string))
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.secrets), ["aggregator", "db-generator", "discover", "rank-fetcher", "refresher", "reviver"])) == 0
    error_message = "secrets lists settings by worker: aggregator, db-generator, discover, rank-fetcher, refresher, reviver."
  }

  validation {
    condition     = alltrue([for name in flatten(values(var.secrets)) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "secrets lists the names of settings, such as WCL_API_URL, and never their values."
  }

  validation {
    condition     = length(setintersection(flatten(values(var.secrets)), concat(keys(var.settings), ["GIT_TOKEN", "MONGODB_URI", "WCL_KEYS"]))) == 0
    error_message = "A setting is either in secrets or in settings, and GIT_TOKEN, MONGODB_URI, WCL_KEYS are already a secret of the workers that need it."
  }
}
