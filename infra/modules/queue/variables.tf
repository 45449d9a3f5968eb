variable "fleet" {
  description = "The fleet of the worker. The queue's name in SQS starts with `queue_prefix`."
  type = object({
    queue_prefix = string
  })
}

variable "name" {
  description = "The queue's name, as in `stint describe`."
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
  description = "The maximum number of messages per invocation."
  type        = number

  # More than 10 requires a batching window, which would delay every message.
  validation {
    condition     = var.batch >= 1 && var.batch <= 10
    error_message = "A batch must have from 1 to 10 messages."
  }
}

variable "visibility_timeout_seconds" {
  description = "How long an invocation's messages stay invisible to others: six times its time-out."
  type        = number
}

variable "max_receives" {
  description = "A message that was received this often without success is dead-lettered."
  type        = number

  # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  validation {
    condition     = var.max_receives >= 5
    error_message = "It must be at least 5, as Lambda's guide recommends: a batch that Lambda throttles counts as received too."
  }
}

variable "concurrency" {
  description = "How many batches may be processed at once. For a mapping that the budget throttles, this is the maximum and the initial value."
  type        = number

  validation {
    condition     = var.concurrency >= 2 && var.concurrency <= 1000
    error_message = "A mapping's maximum concurrency must be from 2 to 1000."
  }
}

variable "steered" {
  description = "Whether the budget's throttle changes the mapping's concurrency, so that Terraform must not reset it."
  type        = bool
}
