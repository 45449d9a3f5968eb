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

variable "client_id" {
  description = "The id of the client that follows the river of stashes."
  type        = string
}

variable "contact" {
  description = "The email address at which the upstream can reach the owner of the client."
  type        = string
}

variable "bucket" {
  description = "The bucket to create for the pages. Bucket names are unique in all of AWS."
  type        = string
}

variable "settings" {
  description = "Further settings of docs/configuration.md, for both functions, such as { POE_REALM = \"sony\" }. They are visible in the state and in the console, so they must not contain secrets."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.settings), "POE_CLIENT_SECRET")
    error_message = "POE_CLIENT_SECRET is a secret: create it in SSM by hand, as README.md describes."
  }

  validation {
    condition     = length(setintersection(keys(var.settings), ["POE_BLOBS", "POE_CLIENT_ID", "POE_CONTACT"])) == 0
    error_message = "POE_BLOBS, POE_CLIENT_ID and POE_CONTACT are set by the variables bucket, client_id and contact."
  }
}

variable "secrets" {
  description = "Further settings that a worker reads from SSM, by worker: a setting of the fleet whose value must not be in the state or in the console, such as a webhook's address. Create each parameter by hand, as README.md describes."
  type        = map(list(string))
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.secrets), ["follower", "watcher"])) == 0
    error_message = "secrets lists settings by worker: follower, watcher."
  }

  validation {
    condition     = alltrue([for name in flatten(values(var.secrets)) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "secrets lists the names of settings, such as WCL_API_URL, and never their values."
  }

  validation {
    condition     = length(setintersection(flatten(values(var.secrets)), concat(keys(var.settings), ["POE_CLIENT_SECRET"]))) == 0
    error_message = "A setting is either in secrets or in settings, and POE_CLIENT_SECRET is already a secret of the workers that need it."
  }
}
