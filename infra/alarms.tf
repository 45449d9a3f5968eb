# What a person must hear of. Each alarm says where to look; docs/operating.md says what to do.

locals {
  queues = merge(local.poe_queues, {
    discovered = { prefix = local.prefix, queue = module.discovered_players, oldest_hours = var.oldest_message_hours }
    # A refresh waits for the next reset at the longest, which is an hour.
    refresh = { prefix = local.prefix, queue = module.refresh_players, oldest_hours = 2 }
  })

  # As their breakers are called.
  upstreams = merge(local.poe_upstreams, {
    warcraftlogs-api  = { prefix = local.prefix }
    warcraftlogs-site = { prefix = local.prefix }
  })

  # A failed batch comes back by itself, so that one is no news; a failed schedule may cost a day.
  workers = merge(local.poe_workers, {
    discover     = { prefix = local.prefix, function = module.discover.function_name, failures = 1, fed_by_queue = false }
    aggregator   = { prefix = local.prefix, function = module.aggregator.function_name, failures = 1, fed_by_queue = false }
    rank-fetcher = { prefix = local.prefix, function = module.rank_fetcher.function_name, failures = 5, fed_by_queue = true }
    refresher    = { prefix = local.prefix, function = module.refresher.function_name, failures = 5, fed_by_queue = true }
    reviver      = { prefix = local.prefix, function = module.reviver.function_name, failures = 3, fed_by_queue = false }
    db-generator = { prefix = local.prefix, function = module.db_generator.function_name, failures = 1, fed_by_queue = false }
  })
}

# Rings while an upstream is left alone, and is silent again once it is back: between two probes nothing is told, so that the
# alarm stays as it is. An outage that is over within a period rings no alarm.
resource "aws_cloudwatch_metric_alarm" "down" {
  for_each            = local.upstreams
  alarm_name          = "${each.value.prefix}-${each.key}-down"
  alarm_description   = "${each.key} is down, or turns us away: `stint status` says since when and why. It is probed, and work goes on by itself."
  namespace           = "Stint"
  metric_name         = "BreakerOpen"
  dimensions          = { Upstream = each.key }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "ignore"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each            = local.queues
  alarm_name          = "${each.value.prefix}-${each.key}-dead-letters"
  alarm_description   = "Messages have become dead letters: `stint queue peek --dead` tells why, `stint queue redrive` sends them back."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.queue.dead_letters_name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  # A queue that no worker has touched for hours reports nothing.
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]
  ok_actions         = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  for_each            = local.queues
  alarm_name          = "${each.value.prefix}-${each.key}-oldest-message"
  alarm_description   = "A message has waited for ${each.value.oldest_hours} hours: `stint status` tells what the fleet waits for."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = each.value.queue.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.oldest_hours * 3600
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "failures" {
  for_each            = local.workers
  alarm_name          = "${each.value.prefix}-${each.key}-failures"
  alarm_description   = "Invocations of ${each.key} have failed: its log tells why."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = each.value.function }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.failures
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

# A mapping never asks for more than is reserved, so that a throttled batch means that the account has run out: each
# burns receives. Scheduled workers may be throttled while the one before is at work; they come again.
resource "aws_cloudwatch_metric_alarm" "throttled" {
  for_each            = { for name, worker in local.workers : name => worker if worker.fed_by_queue }
  alarm_name          = "${each.value.prefix}-${each.key}-throttled"
  alarm_description   = "Lambda had no room for batches of ${each.key}: reserve_concurrency, or the account's limit."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = each.value.function }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

# Rings also when nothing ran at all, which `failures` cannot see. A day is the longest that CloudWatch adds up in one
# period: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
resource "aws_cloudwatch_metric_alarm" "generator_silent" {
  alarm_name          = "${local.prefix}-generator-silent"
  alarm_description   = "No new databases for a day: the log of db-generator tells why."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "succeeded"
    expression  = "invocations - failures"
    label       = "Runs that succeeded"
    return_data = true
  }

  metric_query {
    id = "invocations"

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Invocations"
      dimensions  = { FunctionName = module.db_generator.function_name }
      stat        = "Sum"
      period      = 86400
    }
  }

  metric_query {
    id = "failures"

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      dimensions  = { FunctionName = module.db_generator.function_name }
      stat        = "Sum"
      period      = 86400
    }
  }
}

# A wake-up that Scheduler gave up on: the sweep makes up for it, and until then points may expire.
resource "aws_cloudwatch_metric_alarm" "lost_wakeups" {
  alarm_name          = "${local.prefix}-lost-wakeups"
  alarm_description   = "EventBridge Scheduler could not start a worker: look at the role ${aws_iam_role.wakeups.name}."
  namespace           = "AWS/Scheduler"
  metric_name         = "InvocationDroppedCount"
  dimensions          = { ScheduleGroup = aws_scheduler_schedule_group.wakeups.name }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

# Once for each rest: discovery asks again when it is over, and stops again if nothing has changed.
resource "aws_cloudwatch_metric_alarm" "discovery_stopped" {
  alarm_name          = "${local.prefix}-discovery-stopped"
  alarm_description   = "Discovery was turned away, or its pages make no sense: `stint rules list` tells which, and what to do."
  namespace           = "Stint"
  metric_name         = "DiscoveryStops"
  dimensions          = { Worker = "discover" }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}
