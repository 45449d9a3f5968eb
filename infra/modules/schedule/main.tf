# A schedule that starts a worker again and again.

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:The input is the worker's name and a time; Scheduler encrypts it with its own key.
  name                = var.worker.name
  group_name          = var.group.name
  description         = "Starts ${var.worker.function_name}"
  schedule_expression = "rate(${var.every_minutes} minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.worker.function_arn
    role_arn = aws_iam_role.this.arn

    # As shared/aws/src/wakeups/input.rs writes it for wake-ups. Not `jsonencode`, which escapes the signs around the
    # name, so that Scheduler would not put the time in its place.
    input = "{\"wakeup\":\"${var.worker.name}\",\"worker\":\"${var.worker.name}\",\"due\":\"<aws.scheduler.scheduled-time>\"}"

    # Delivering it, not running it: a tick that could not be delivered is worth nothing when the next one is due.
    retry_policy {
      maximum_event_age_in_seconds = min(86400, var.every_minutes * 60)
      maximum_retry_attempts       = 5
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

# Holds for everything that starts the worker asynchronously: wake-ups, too.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name          = var.worker.function_name
  maximum_retry_attempts = var.retries

  # From 60 seconds to 6 hours; a tick that waits for the one before it is worth nothing when the next one is due.
  maximum_event_age_in_seconds = min(21600, var.every_minutes * 60)
}
