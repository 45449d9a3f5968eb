# A queue, its dead-letter queue, and the mapping that feeds a worker from it.

locals {
  # The maximum of SQS: 14 days.
  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
  retention_seconds = 14 * 24 * 60 * 60

  # As in the settings STINT_AWS_QUEUE and STINT_AWS_DEAD_LETTERS of the functions.
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

# A message keeps its age here: one that waited for 13 days is kept for one more day. The alarm therefore rings at the
# first message.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${local.name}-dead-letters"
  message_retention_seconds = local.retention_seconds
  sqs_managed_sse_enabled   = true
}

# Other queues may not send their dead letters here.
resource "aws_sqs_queue_redrive_allow_policy" "this" {
  queue_url = aws_sqs_queue.dead_letters.url

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this.arn]
  })
}

# Exactly one of these two mappings exists. They differ in who sets the concurrency: `ignore_changes` cannot depend on a
# variable.
resource "aws_lambda_event_source_mapping" "fixed" {
  count                   = var.steered ? 0 : 1
  event_source_arn        = aws_sqs_queue.this.arn
  function_name           = var.worker.function_arn
  batch_size              = var.batch
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.concurrency
  }

  # `stint throttle pause` disables the mapping, and the pause must outlast an apply.
  lifecycle {
    ignore_changes = [enabled]
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

  # When Terraform applies, the pool may be dry and the mapping paused. Resetting the mapping would waste receives.
  lifecycle {
    ignore_changes = [enabled, scaling_config]
  }

  depends_on = [aws_iam_role_policy.receive]
}
