# The variables that all fleets of an installation share. A fleet's own variable is in the fleet's file.

variable "region" {
  description = "The region that everything is created in, such as eu-west-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is written as in eu-west-1."
  }
}

variable "prefix" {
  description = "What the names of this installation begin with, and its secrets' path. Another installation in the same account and region has another one."
  type        = string
  default     = "stint"

  # A role's name has at most 64 characters, of which the fleet, the worker and the region need up to 50. Without a
  # hyphen in it, no prefix can be the beginning of another installation's names.
  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.prefix))
    error_message = "prefix has from 2 to 12 lower-case letters and digits, and begins with a letter."
  }

  # https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
  validation {
    condition     = !can(regex("^(aws|ssm)", var.prefix))
    error_message = "prefix begins neither with aws nor with ssm, which Parameter Store keeps for itself."
  }
}

variable "packages" {
  description = "The folder with the fleets' packages for arm64, stint-FLEET-arm64.zip. README.md says how they are made."
  type        = string

  validation {
    condition     = !endswith(var.packages, ".zip")
    error_message = "packages is the folder with the zips of the fleets."
  }
}

variable "alarm_email" {
  description = "The address that alarms and the budget's notices are sent to. AWS mails it a link first, and sends nothing before that was clicked."
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

variable "reserve_concurrency" {
  description = "Whether each worker's concurrency is taken out of the account's. A new account may have 10 in all, of which nothing can be reserved: false until AWS has raised that."
  type        = bool
  default     = true
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
