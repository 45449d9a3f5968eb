# The alarms of the fleet. docs/operating.md says what to do when an alarm rings.

locals {
  realm = lookup(var.settings, "POE_REALM", "pc")

  queues = {
    # A message whose follower crashed is invisible for an hour and a half.
    chain = {
      name              = module.chain.name
      dead_letters_name = module.chain.dead_letters_name
      oldest_hours      = 2
      feeds             = "follower"
    }
    # The queue may be without a consumer for a while. SQS deletes messages that are older than two weeks.
    stored-pages = {
      name              = aws_sqs_queue.stored_pages.name
      dead_letters_name = aws_sqs_queue.stored_pages_dead_letters.name
      oldest_hours      = 72
    }
  }

  # After a failure, the follower receives its message again, and the watcher's next run is two minutes away.
  workers = {
    follower = { function = module.follower.function_name, failures = 3, fed_by_queue = true }
    watcher  = { function = module.watcher.function_name, failures = 3, fed_by_queue = false }
  }
}

module "watch" {
  source    = "../watch"
  fleet     = local.fleet
  queues    = local.queues
  workers   = local.workers
  upstreams = ["poe-stashes-pages", "poe-stashes-head"] # as their breakers are called

  charts = [
    {
      title     = "Behind the river, in seconds"
      dimension = "Stream"
      lines     = { behind = { metric = "Lag", statistic = "Maximum" } }
    },
    {
      title     = "Pages by stream"
      dimension = "Stream"
      lines = {
        stored = { metric = "PagesStored", statistic = "Sum" }
        lost   = { metric = "PagesLost", statistic = "Sum" }
      }
    },
  ]
}

resource "aws_cloudwatch_metric_alarm" "lag" {
  alarm_name          = "${local.stem}-lag"
  alarm_description   = "The chain is behind the river, or has stopped: `stint status` shows the lag of each shard and the reason."
  namespace           = var.installation.metrics_namespace
  metric_name         = "Lag"
  dimensions          = { Stream = local.realm }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = tonumber(lookup(var.settings, "POE_LAG_ALARM_SECONDS", "300"))
  # If the watcher does not run, the lag is unknown.
  treat_missing_data = "breaching"
  alarm_actions      = [var.installation.alarms_topic_arn]
  ok_actions         = [var.installation.alarms_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "lost_pages" {
  alarm_name          = "${local.stem}-lost-pages"
  alarm_description   = "A page was given up: `stint status` shows which, and why."
  namespace           = var.installation.metrics_namespace
  metric_name         = "PagesLost"
  dimensions          = { Stream = local.realm }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.installation.alarms_topic_arn]
}
