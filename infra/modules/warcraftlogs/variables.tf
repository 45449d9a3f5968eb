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
  description = "The git repository that databases are pushed to. The token GIT_TOKEN opens it, so it has an https address."
  type        = string

  validation {
    condition     = startswith(var.lua_repository, "https://") && !can(regex("@", var.lua_repository))
    error_message = "lua_repository begins with https:// and has no user or token in it: it shows in the function's settings."
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
    error_message = "concurrency_limit is from 2 to 1000."
  }
}

variable "discovery_source" {
  description = "Where players are found: `pages` of the site, or `reports` of the API, which cost points. Only with `reports`, or with rules_name_servers, may discover read the API keys."
  type        = string
  default     = "pages"
  nullable    = false

  validation {
    condition     = contains(["pages", "reports"], var.discovery_source)
    error_message = "discovery_source is pages or reports."
  }
}

variable "rules_name_servers" {
  description = "Whether discovery rules name a server (`stint wcl rules add --server`). With `pages` as the source, discover asks the API for a server's id, and may read the API keys for it. Without this such a rule rests, and says that it needs a key."
  type        = bool
  default     = false
  nullable    = false
}

variable "oldest_message_hours" {
  description = "An alarm rings when a discovered player has waited in the queue for this many hours. More than QUEUE_HOURS (24), after which a full queue is done."
  type        = number
  default     = 72
  nullable    = false

  # A queue keeps a message for 14 days, so an alarm after that would be too late.
  validation {
    condition     = var.oldest_message_hours >= 1 && var.oldest_message_hours < 14 * 24
    error_message = "oldest_message_hours is from 1 to 335."
  }
}

variable "settings" {
  description = "Further settings of docs/configuration.md, for all workers of the fleet, such as { WCL_CALL_BUDGET = \"5\" }. They show in the state and in the console: never secrets."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.settings), ["GIT_TOKEN", "MONGODB_URI", "WCL_KEYS"])) == 0
    error_message = "GIT_TOKEN, MONGODB_URI and WCL_KEYS are secrets: put them into SSM by hand, as README.md says."
  }

  validation {
    condition     = length(setintersection(keys(var.settings), ["CONCURRENCY_LIMIT", "DISCOVERY_SOURCE", "LUA_REPOSITORY", "WCL_VISIBILITY_SECONDS"])) == 0
    error_message = "CONCURRENCY_LIMIT, DISCOVERY_SOURCE and LUA_REPOSITORY have variables of their own, and WCL_VISIBILITY_SECONDS is the queues'."
  }
}
