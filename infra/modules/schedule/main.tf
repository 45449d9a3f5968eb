# A recurring schedule that starts a worker.

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
