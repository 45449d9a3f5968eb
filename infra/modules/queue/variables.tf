variable "fleet" {
  description = "The fleet of the worker. The queue's name in SQS begins with `queue_prefix`."
  type = object({
    queue_prefix = string
  })
}

variable "name" {
  description = "The queue's name, as `stint describe` has it."
  type        = string
}

variable "worker" {
  description = "The worker that the queue feeds: a module `worker`."
  type = object({
    name         = string
    function_arn = string
    role_name    = string
  })
}

variable "batch" {
  description = "Messages per invocation at the most."
  type        = number

  # More than 10 requires a batching window, which would delay every message.
  validation {
    condition     = var.batch >= 1 && var.batch <= 10
    error_message = "A batch has from 1 to 10 messages."
  }
}

variable "visibility_timeout_seconds" {
  description = "How long an invocation owns its messages: six times its time-out."
  type        = number
}

variable "max_receives" {
  description = "A message that was received this often and not done becomes a dead letter."
  type        = number

  # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  validation {
    condition     = var.max_receives >= 5
    error_message = "Lambda's guide asks for at least 5: a batch that Lambda throttles is received as well."
  }
}

variable "concurrency" {
  description = "How many batches may be under way at once. Of a steered mapping the most, with which it begins."
  type        = number

  validation {
    condition     = var.concurrency >= 2 && var.concurrency <= 1000
    error_message = "A mapping's maximum concurrency is from 2 to 1000."
  }
}

variable "steered" {
  description = "Whether the budget's throttle steers the mapping, so that Terraform must leave it alone."
  type        = bool
}
