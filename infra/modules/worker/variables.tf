variable "fleet" {
  description = "What all workers of the fleet have in common. Names begin with `stem`, the secrets' with `secret_path`."
  type = object({
    name                = string
    stem                = string
    secret_path         = string
    region              = string
    account             = string
    partition           = string
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

variable "name" {
  description = "The worker's name, as `stint describe` has it."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+(-[a-z]+)*$", var.name))
    error_message = "A worker's name is in kebab case."
  }
}

variable "timeout_seconds" {
  description = "How long one invocation may take."
  type        = number

  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "Lambda runs nothing for longer than 900 seconds."
  }
}

variable "memory_mb" {
  description = "Memory in MB; processor time is in proportion to it."
  type        = number

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "Lambda has from 128 to 10240 MB."
  }
}

variable "disk_mb" {
  description = "Room in /tmp in MB. 512 cost nothing."
  type        = number
  default     = 512

  validation {
    condition     = var.disk_mb >= 512 && var.disk_mb <= 10240
    error_message = "Lambda has from 512 to 10240 MB in /tmp."
  }
}

variable "concurrency" {
  description = "How many invocations may run at once."
  type        = number
}

variable "secrets" {
  description = "The settings that are secrets and that this worker may read, by name."
  type        = list(string)
}

variable "feeds_itself" {
  description = "Whether the worker sends messages to a queue that feeds it. Lambda would stop such a chain after 16 messages."
  type        = bool
  default     = false
}
