variable "fleet" {
  description = "The fleet of the worker."
  type = object({
    name   = string
    region = string
  })
}

variable "group" {
  description = "The group that the schedule is in."
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
    error_message = "A schedule comes every two minutes or more, in whole minutes."
  }
}

variable "retries" {
  description = "How often an invocation that failed is tried again, a minute and then two minutes later. 0 leaves it to the next tick."
  type        = number
  default     = 0

  # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
  validation {
    condition     = contains([0, 1, 2], var.retries)
    error_message = "Lambda tries again at most twice."
  }
}
