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
    condition     = var.every_minutes >= 2 && floor(var.every_minutes) == var.every_minutes
    error_message = "The period must be at least two minutes, in whole minutes."
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
