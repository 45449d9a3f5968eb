# A queue, its dead letters, and the mapping that feeds a worker from it.

locals {
  # The most that SQS has: 14 days.
  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
  retention_seconds = 14 * 24 * 60 * 60

  # As the settings STINT_AWS_QUEUE and STINT_AWS_DEAD_LETTERS of the functions have it.
  name = "${var.fleet.queue_prefix}${var.name}"
}

resource "aws_sqs_queue" "this" {
  name                       = local.name
  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = local.retention_seconds
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receives
  })
}

# A message's age goes on counting here: one that has waited for 13 days is kept for one more. So the alarm rings at the
# first of them.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${local.name}-dead-letters"
  message_retention_seconds = local.retention_seconds
  sqs_managed_sse_enabled   = true
}

# No other queue's failures get in here.
resource "aws_sqs_queue_redrive_allow_policy" "this" {
  queue_url = aws_sqs_queue.dead_letters.url

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this.arn]
  })
}

# One of these two exists. They differ in who sets the concurrency, which Terraform cannot be told by a variable.
resource "aws_lambda_event_source_mapping" "fixed" {
  count                   = var.steered ? 0 : 1
  event_source_arn        = aws_sqs_queue.this.arn
  function_name           = var.worker.function_arn
  batch_size              = var.batch
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.concurrency
  }

  depends_on = [aws_iam_role_policy.receive]
}

resource "aws_lambda_event_source_mapping" "steered" {
  count                   = var.steered ? 1 : 0
  event_source_arn        = aws_sqs_queue.this.arn
  function_name           = var.worker.function_arn
  batch_size              = var.batch
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.concurrency
  }

  # At the hour of an apply the pool may be dry and the mapping paused: setting it back would burn receives.
  lifecycle {
    ignore_changes = [enabled, scaling_config]
  }

  depends_on = [aws_iam_role_policy.receive]
}
