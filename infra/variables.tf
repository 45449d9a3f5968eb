# The variables that all fleets of an installation share. A fleet's own variable is in the fleet's file.

variable "region" {
  description = "The region that everything is created in, such as eu-west-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be written as in eu-west-1."
  }
}

variable "prefix" {
  description = "The prefix of this installation's names, and of its secrets' path. Each installation in the same account and region needs its own."
  type        = string
  default     = "stint"

  # A role's name has at most 64 characters, of which the fleet, the worker and the region need up to 50. Without a
  # hyphen in it, no prefix can be the beginning of another installation's names.
  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.prefix))
    error_message = "prefix must have from 2 to 12 lower-case letters and digits, and start with a letter."
  }

  # https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
  validation {
    condition     = !can(regex("^(aws|ssm)", var.prefix))
    error_message = "prefix must not start with aws or ssm, which Parameter Store reserves."
  }
}

variable "packages" {
  description = "The folder with the fleets' packages for arm64, stint-FLEET-arm64.zip. README.md describes how to build them."
  type        = string

  validation {
    condition     = !endswith(var.packages, ".zip")
    error_message = "packages must be the folder with the zips of the fleets."
  }
}

variable "alarm_email" {
  description = "The email address for alarms and budget notices. AWS first sends it a link, and sends nothing else before it is confirmed."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+$", var.alarm_email))
    error_message = "alarm_email must be one email address."
  }
}

variable "monthly_budget_usd" {
  description = "The monthly cost of the whole account, in US dollars, above which that address is notified. Nothing is stopped."
  type        = number
  default     = 25

  validation {
    condition     = var.monthly_budget_usd >= 1
    error_message = "monthly_budget_usd must be at least 1."
  }
}

variable "reserve_concurrency" {
  description = "Whether each worker's concurrency is reserved from the account's. A new account may have only 10, of which none can be reserved: use false until AWS has raised the limit."
  type        = bool
  default     = true
}

variable "secrets_key_arn" {
  description = "The KMS key that the secrets were encrypted with, if it is not the account's default key for SSM."
  type        = string
  default     = null
}

variable "network" {
  description = "The subnets and security groups of the functions, if the database requires them. They then need access to the internet, such as a NAT gateway, which costs more than everything else."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "log_level" {
  description = "What is logged, as in the setting STINT_LOG."
  type        = string
  default     = "info"
}

variable "log_retention_days" {
  description = "How many days logs are kept: one of the values that CloudWatch Logs accepts."
  type        = number
  default     = 30

  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731."
  }
}
