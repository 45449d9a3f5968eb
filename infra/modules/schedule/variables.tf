variable "fleet" {
  description = "The fleet of the worker."
  type = object({
    name   = string
    region = string
  })
}

variable "group" {
  description = "The group of the schedule."
  type = object({
    name = string
    arn  = string
  })
}

variable "worker" {
  description = "The worker that is started: a module `worker`."
  type = object({
    name          = string
    function_name = string
    function_arn  = string
  })
}

variable "every_minutes" {
  description = "The time between two invocations."
  type        = number

  validation {
    condition     = var.every_minutes >= 1 && floor(var.every_minutes) == var.every_minutes
    error_message = "The period must be at least one minute, in whole minutes. A worker with a shorter period is started once a minute and sends a message for each slot."
  }
}

variable "aligned" {
  description = "Whether the worker is started at multiples of the period since midnight in UTC."
  type        = bool
  default     = false

  validation {
    condition     = !var.aligned || (var.every_minutes <= 60 ? 60 % var.every_minutes == 0 : var.every_minutes % 60 == 0 && 1440 % var.every_minutes == 0)
    error_message = "An aligned period must divide an hour, or be whole hours that divide a day."
  }
}

variable "retries" {
  description = "How often a failed invocation is retried: after one minute, and again after two. With 0, the next tick is the retry."
  type        = number
  default     = 0

  # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
  validation {
    condition     = contains([0, 1, 2], var.retries)
    error_message = "The number of retries must be at most 2, which is Lambda's limit."
  }
}
