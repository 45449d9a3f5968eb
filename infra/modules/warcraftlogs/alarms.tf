# The alarms of the fleet. docs/operating.md says what to do when an alarm rings.

locals {
  queues = {
    discovered = {
      name              = module.discovered_players.name
      dead_letters_name = module.discovered_players.dead_letters_name
      oldest_hours      = var.oldest_message_hours
      feeds             = "rank-fetcher"
    }
    # A refresh waits at most until the next reset, which is an hour.
    refresh = {
      name              = module.refresh_players.name
      dead_letters_name = module.refresh_players.dead_letters_name
      oldest_hours      = 2
      feeds             = "refresher"
    }
  }

  # A failed batch is received again, so one failure is no reason for an alarm. A failed schedule may cost a day.
  workers = {
    discover     = { function = module.discover.function_name, failures = 1, fed_by_queue = false }
    aggregator   = { function = module.aggregator.function_name, failures = 1, fed_by_queue = false }
    rank-fetcher = { function = module.rank_fetcher.function_name, failures = 5, fed_by_queue = true }
    refresher    = { function = module.refresher.function_name, failures = 5, fed_by_queue = true }
    reviver      = { function = module.reviver.function_name, failures = 3, fed_by_queue = false }
    db-generator = { function = module.db_generator.function_name, failures = 1, fed_by_queue = false }
  }
}

module "watch" {
  source    = "../watch"
  fleet     = local.fleet
  queues    = local.queues
  workers   = local.workers
  upstreams = ["warcraftlogs-api", "warcraftlogs-site"] # as their breakers are called

  # Held points rise and fall; the other metrics are counts.
  charts = [{
    title     = "Points by key"
    dimension = "Key"
    lines = {
      spent   = { metric = "PointsSpent", statistic = "Sum" }
      expired = { metric = "PointsExpired", statistic = "Sum" }
      held    = { metric = "PointsHeld", statistic = "Maximum" }
    }
  }]
}

# Also rings if nothing ran at all, which `failures` cannot detect. A day is the longest period of a CloudWatch alarm:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
resource "aws_cloudwatch_metric_alarm" "generator_silent" {
  alarm_name          = "${local.stem}-generator-silent"
  alarm_description   = "No new databases for a day: the log of db-generator shows why."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [var.installation.alarms_topic_arn]
  ok_actions          = [var.installation.alarms_topic_arn]

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

# Scheduler gave up on a wake-up. The sweep makes up for it, but until then points may expire.
resource "aws_cloudwatch_metric_alarm" "lost_wakeups" {
  alarm_name          = "${local.stem}-lost-wakeups"
  alarm_description   = "EventBridge Scheduler could not start a worker: check the role ${aws_iam_role.wakeups.name}."
  namespace           = "AWS/Scheduler"
  metric_name         = "InvocationDroppedCount"
  dimensions          = { ScheduleGroup = aws_scheduler_schedule_group.wakeups.name }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.installation.alarms_topic_arn]
}

# Rings once per rest: discovery tries again when the rest is over, and stops again if nothing has changed.
resource "aws_cloudwatch_metric_alarm" "discovery_stopped" {
  alarm_name          = "${local.stem}-discovery-stopped"
  alarm_description   = "The site rejected discovery, or its pages are implausible: `stint wcl rules list` shows which, and what to do."
  namespace           = var.installation.metrics_namespace
  metric_name         = "DiscoveryStops"
  dimensions          = { Worker = "${local.fleet.name}/${module.discover.name}" }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.installation.alarms_topic_arn]
}

# Rings if a rule was due for half a day and is not read, whatever the reason, or if discovery does not run at all: then
# there is no data. It runs every half hour, unless it is at work.
resource "aws_cloudwatch_metric_alarm" "discovery_overdue" {
  alarm_name          = "${local.stem}-discovery-overdue"
  alarm_description   = "A discovery rule has been due for ${var.overdue_discovery_hours} hours, or discovery does not run: `stint status` shows its schedule, `stint wcl rules list` its rules."
  namespace           = var.installation.metrics_namespace
  metric_name         = "DiscoveryOverdue"
  dimensions          = { Worker = "${local.fleet.name}/${module.discover.name}" }
  statistic           = "Minimum"
  period              = 3600
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.overdue_discovery_hours * 3600
  treat_missing_data  = "breaching"
  alarm_actions       = [var.installation.alarms_topic_arn]
  ok_actions          = [var.installation.alarms_topic_arn]
}

# Points that expire while no player waits are no loss. Rings if points expired in each of two hours in which the queue was
# never empty.
resource "aws_cloudwatch_metric_alarm" "points_expired" {
  alarm_name          = "${local.stem}-points-expired"
  alarm_description   = "Points expire although players wait: `stint wcl keys --windows 24` shows how many, `stint throttle show` what limits the fleet."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.expired_points
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.installation.alarms_topic_arn]
  ok_actions          = [var.installation.alarms_topic_arn]

  metric_query {
    id          = "missed"
    expression  = "IF(waiting > 0, FILL(unused, 0), 0)"
    label       = "Points that expired while players waited"
    return_data = true
  }

  metric_query {
    id = "waiting"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = module.discovered_players.name }
      stat        = "Minimum"
      period      = 3600
    }
  }

  metric_query {
    id = "unused"

    metric {
      namespace   = var.installation.metrics_namespace
      metric_name = "PointsUnused"
      dimensions  = { Worker = "${local.fleet.name}/${module.rank_fetcher.name}" }
      stat        = "Sum"
      period      = 3600
    }
  }
}
