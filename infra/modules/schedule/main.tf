# A recurring schedule that starts a worker.
#
# A worker's active hours are not part of it: the function checks them at each tick, and a tick outside them costs one
# short invocation. Scheduler knows time zones too, but runs a cron expression only once in the hour that clocks show
# twice in autumn: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html

locals {
  # A rate counts from when the schedule was created. A cron expression in UTC has the multiples of the period.
  rate = var.every_minutes == 1 ? "rate(1 minute)" : "rate(${var.every_minutes} minutes)"
  cron = (
    var.every_minutes < 60 ? "cron(0/${var.every_minutes} * * * ? *)" :
    var.every_minutes < 1440 ? "cron(0 0/${floor(var.every_minutes / 60)} * * ? *)" :
    "cron(0 0 * * ? *)"
  )
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:The input is the worker's name and a time; Scheduler encrypts it with its own key.
  name                = var.worker.name
  group_name          = var.group.name
  description         = "Starts ${var.worker.function_name}"
  schedule_expression = var.aligned ? local.cron : local.rate

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.worker.function_arn
    role_arn = aws_iam_role.this.arn

    # In the format that shared/aws/src/wakeups/input.rs uses for wake-ups. `jsonencode` would escape the brackets
    # around the name, so that Scheduler would not replace it by the time.
    input = "{\"wakeup\":\"${var.worker.name}\",\"worker\":\"${var.fleet.name}/${var.worker.name}\",\"due\":\"<aws.scheduler.scheduled-time>\"}"

    # Retries of the delivery, not of the worker. A tick that could not be delivered is worthless when the next one is
    # due.
    retry_policy {
      maximum_event_age_in_seconds = min(86400, var.every_minutes * 60)
      maximum_retry_attempts       = 5
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

# Applies to everything that starts the worker asynchronously, including wake-ups.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name          = var.worker.function_name
  maximum_retry_attempts = var.retries

  # From 60 seconds to 6 hours. A tick that waits for the previous one is worthless when the next one is due.
  maximum_event_age_in_seconds = min(21600, var.every_minutes * 60)
}
