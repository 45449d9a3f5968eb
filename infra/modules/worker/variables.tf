variable "fleet" {
  description = "What all workers of the fleet share. Names start with `stem`, and those of secrets with `secret_path`."
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
  description = "The worker's name, as in `stint describe`."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+(-[a-z]+)*$", var.name))
    error_message = "A worker's name must be in kebab case."
  }
}

variable "timeout_seconds" {
  description = "How long one invocation may take."
  type        = number

  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "The time-out must be at most 900 seconds, which is Lambda's limit."
  }
}

variable "memory_mb" {
  description = "Memory in MB. Processor time is proportional to it."
  type        = number

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "Memory must be from 128 to 10240 MB, which are Lambda's limits."
  }
}

variable "disk_mb" {
  description = "Space in /tmp in MB. The first 512 MB are free."
  type        = number
  default     = 512

  validation {
    condition     = var.disk_mb >= 512 && var.disk_mb <= 10240
    error_message = "Space in /tmp must be from 512 to 10240 MB, which are Lambda's limits."
  }
}

variable "concurrency" {
  description = "How many invocations may run at once."
  type        = number
}

variable "secrets" {
  description = "The names of the secret settings that this worker may read."
  type        = list(string)
}

variable "feeds_itself" {
  description = "Whether the worker sends messages to a queue that feeds it. By default, Lambda stops such a chain after 16 messages."
  type        = bool
  default     = false
}
