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
