# What an operator must know about each fleet. Each alarm says where to look; docs/operating.md says what to do.

# Rings while an upstream is left alone, and clears once it is back. Between two probes there is no data, and the alarm
# keeps its state. An outage that ends within a period rings no alarm.
resource "aws_cloudwatch_metric_alarm" "down" {
  for_each            = var.upstreams
  alarm_name          = "${var.fleet.stem}-${each.key}-down"
  alarm_description   = "${each.key} is down or rejects the fleet: `stint status` shows since when and why. It is probed automatically, and work continues once it responds."
  namespace           = var.fleet.metrics_namespace
  metric_name         = "BreakerOpen"
  dimensions          = { Upstream = each.key }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "ignore"
  alarm_actions       = [var.fleet.alarms_topic_arn]
  ok_actions          = [var.fleet.alarms_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each            = var.queues
  alarm_name          = "${var.fleet.stem}-${each.key}-dead-letters"
  alarm_description   = "Messages were dead-lettered: `stint queue peek --dead` shows why, `stint queue redrive` sends them back."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.dead_letters_name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  # A queue that no worker has used for hours reports nothing.
  treat_missing_data = "notBreaching"
  alarm_actions      = [var.fleet.alarms_topic_arn]
  ok_actions         = [var.fleet.alarms_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  for_each            = var.queues
  alarm_name          = "${var.fleet.stem}-${each.key}-oldest-message"
  alarm_description   = "A message has waited for ${each.value.oldest_hours} hours: `stint status` shows what the fleet waits for."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = each.value.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.oldest_hours * 3600
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.fleet.alarms_topic_arn]
  ok_actions          = [var.fleet.alarms_topic_arn]
}

# Rings if messages waited for two whole hours while no batch ran, whatever the reason: the mapping is disabled and stays
# so, or it is gone. A budget that is used up pauses the mapping until the next reset, which is at most an hour away.
resource "aws_cloudwatch_metric_alarm" "stalled" {
  for_each            = { for name, entry in var.queues : name => entry if entry.feeds != null }
  alarm_name          = "${var.fleet.stem}-${each.key}-stalled"
  alarm_description   = "Messages have waited for two hours and no batch has run: is the mapping of ${each.value.feeds} disabled? `stint throttle show` and `stint status` say why."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.fleet.alarms_topic_arn]
  ok_actions          = [var.fleet.alarms_topic_arn]

  metric_query {
    id          = "stalled"
    expression  = "IF(waiting > 0 AND FILL(batches, 0) == 0, waiting, 0)"
    label       = "Messages that wait although no batch runs"
    return_data = true
  }

  metric_query {
    id = "waiting"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = each.value.name }
      stat        = "Minimum"
      period      = 3600
    }
  }

  metric_query {
    id = "batches"

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Invocations"
      dimensions  = { FunctionName = var.workers[each.value.feeds].function }
      stat        = "Sum"
      period      = 3600
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "failures" {
  for_each            = var.workers
  alarm_name          = "${var.fleet.stem}-${each.key}-failures"
  alarm_description   = "Invocations of ${each.key} have failed: its log shows why."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = each.value.function }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.failures
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.fleet.alarms_topic_arn]
}

# A mapping never asks for more than is reserved, so a throttled batch means that the account has reached its limit, and
# each one wastes receives. Scheduled workers may be throttled while the previous run is active; they are retried.
resource "aws_cloudwatch_metric_alarm" "throttled" {
  for_each            = { for name, worker in var.workers : name => worker if worker.fed_by_queue }
  alarm_name          = "${var.fleet.stem}-${each.key}-throttled"
  alarm_description   = "Lambda throttled batches of ${each.key}: check reserve_concurrency, and the account's concurrency limit."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = each.value.function }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.fleet.alarms_topic_arn]
}

# Lambda has taken a chain of messages for an endless loop, and each message that it dropped becomes a dead letter.
resource "aws_cloudwatch_metric_alarm" "recursion" {
  for_each            = { for name, worker in var.workers : name => worker if worker.fed_by_queue }
  alarm_name          = "${var.fleet.stem}-${each.key}-recursion"
  alarm_description   = "Lambda stopped messages that ${each.key} sends to its own queue: its recursive-loop setting must be Allow."
  namespace           = "AWS/Lambda"
  metric_name         = "RecursiveInvocationsDropped"
  dimensions          = { FunctionName = each.value.function }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.fleet.alarms_topic_arn]
}
