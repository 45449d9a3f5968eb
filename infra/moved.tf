# The addresses of resources before fleets had modules, so that an apply on an older state keeps them. An alarm that is
# re-created under its old name would be deleted together with the old one.

moved {
  from = module.discover
  to   = module.warcraftlogs[0].module.discover
}

moved {
  from = module.discover_schedule
  to   = module.warcraftlogs[0].module.discover_schedule
}

moved {
  from = module.aggregator
  to   = module.warcraftlogs[0].module.aggregator
}

moved {
  from = module.aggregator_schedule
  to   = module.warcraftlogs[0].module.aggregator_schedule
}

moved {
  from = module.rank_fetcher
  to   = module.warcraftlogs[0].module.rank_fetcher
}

moved {
  from = module.discovered_players
  to   = module.warcraftlogs[0].module.discovered_players
}

moved {
  from = module.refresher
  to   = module.warcraftlogs[0].module.refresher
}

moved {
  from = module.refresh_players
  to   = module.warcraftlogs[0].module.refresh_players
}

moved {
  from = module.reviver
  to   = module.warcraftlogs[0].module.reviver
}

moved {
  from = module.reviver_schedule
  to   = module.warcraftlogs[0].module.reviver_schedule
}

moved {
  from = module.db_generator
  to   = module.warcraftlogs[0].module.db_generator
}

moved {
  from = module.db_generator_schedule
  to   = module.warcraftlogs[0].module.db_generator_schedule
}

moved {
  from = aws_scheduler_schedule_group.schedules
  to   = module.warcraftlogs[0].aws_scheduler_schedule_group.schedules
}

moved {
  from = aws_scheduler_schedule_group.wakeups
  to   = module.warcraftlogs[0].aws_scheduler_schedule_group.wakeups
}

moved {
  from = aws_iam_role.wakeups
  to   = module.warcraftlogs[0].aws_iam_role.wakeups
}

moved {
  from = aws_iam_role_policy.wakeups
  to   = module.warcraftlogs[0].aws_iam_role_policy.wakeups
}

moved {
  from = aws_iam_role_policy.planning
  to   = module.warcraftlogs[0].aws_iam_role_policy.planning
}

moved {
  from = aws_iam_role_policy.handing_over
  to   = module.warcraftlogs[0].aws_iam_role_policy.handing_over
}

moved {
  from = aws_iam_role_policy.aggregating
  to   = module.warcraftlogs[0].aws_iam_role_policy.aggregating
}

moved {
  from = aws_cloudwatch_metric_alarm.generator_silent
  to   = module.warcraftlogs[0].aws_cloudwatch_metric_alarm.generator_silent
}

moved {
  from = aws_cloudwatch_metric_alarm.lost_wakeups
  to   = module.warcraftlogs[0].aws_cloudwatch_metric_alarm.lost_wakeups
}

moved {
  from = aws_cloudwatch_metric_alarm.discovery_stopped
  to   = module.warcraftlogs[0].aws_cloudwatch_metric_alarm.discovery_stopped
}

moved {
  from = aws_cloudwatch_dashboard.fleet
  to   = module.warcraftlogs[0].module.watch.aws_cloudwatch_dashboard.this
}

moved {
  from = aws_cloudwatch_metric_alarm.down
  to   = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.down
}

moved {
  from = aws_cloudwatch_metric_alarm.dead_letters
  to   = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.dead_letters
}

moved {
  from = aws_cloudwatch_metric_alarm.oldest_message
  to   = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.oldest_message
}

moved {
  from = aws_cloudwatch_metric_alarm.failures
  to   = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.failures
}

moved {
  from = aws_cloudwatch_metric_alarm.throttled
  to   = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.throttled
}

# The alarms of both fleets were one resource. These blocks move the second fleet's alarms on from the first fleet's
# module.

moved {
  from = module.follower[0]
  to   = module.poe_stashes[0].module.follower
}

moved {
  from = module.chain[0]
  to   = module.poe_stashes[0].module.chain
}

moved {
  from = module.watcher[0]
  to   = module.poe_stashes[0].module.watcher
}

moved {
  from = module.watcher_schedule[0]
  to   = module.poe_stashes[0].module.watcher_schedule
}

moved {
  from = aws_sqs_queue.stored_pages[0]
  to   = module.poe_stashes[0].aws_sqs_queue.stored_pages
}

moved {
  from = aws_sqs_queue.stored_pages_dead_letters[0]
  to   = module.poe_stashes[0].aws_sqs_queue.stored_pages_dead_letters
}

moved {
  from = aws_s3_bucket.pages[0]
  to   = module.poe_stashes[0].aws_s3_bucket.pages
}

moved {
  from = aws_s3_bucket_public_access_block.pages[0]
  to   = module.poe_stashes[0].aws_s3_bucket_public_access_block.pages
}

moved {
  from = aws_s3_bucket_lifecycle_configuration.pages[0]
  to   = module.poe_stashes[0].aws_s3_bucket_lifecycle_configuration.pages
}

moved {
  from = aws_cloudwatch_metric_alarm.lag[0]
  to   = module.poe_stashes[0].aws_cloudwatch_metric_alarm.lag
}

moved {
  from = aws_cloudwatch_metric_alarm.lost_pages[0]
  to   = module.poe_stashes[0].aws_cloudwatch_metric_alarm.lost_pages
}

moved {
  from = aws_iam_role_policy.follow
  to   = module.poe_stashes[0].aws_iam_role_policy.follow
}

moved {
  from = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.down["poe-stashes-pages"]
  to   = module.poe_stashes[0].module.watch.aws_cloudwatch_metric_alarm.down["poe-stashes-pages"]
}

moved {
  from = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.down["poe-stashes-head"]
  to   = module.poe_stashes[0].module.watch.aws_cloudwatch_metric_alarm.down["poe-stashes-head"]
}

moved {
  from = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.dead_letters["chain"]
  to   = module.poe_stashes[0].module.watch.aws_cloudwatch_metric_alarm.dead_letters["chain"]
}

moved {
  from = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.dead_letters["stored-pages"]
  to   = module.poe_stashes[0].module.watch.aws_cloudwatch_metric_alarm.dead_letters["stored-pages"]
}

moved {
  from = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.oldest_message["chain"]
  to   = module.poe_stashes[0].module.watch.aws_cloudwatch_metric_alarm.oldest_message["chain"]
}

moved {
  from = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.oldest_message["stored-pages"]
  to   = module.poe_stashes[0].module.watch.aws_cloudwatch_metric_alarm.oldest_message["stored-pages"]
}

moved {
  from = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.failures["follower"]
  to   = module.poe_stashes[0].module.watch.aws_cloudwatch_metric_alarm.failures["follower"]
}

moved {
  from = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.failures["watcher"]
  to   = module.poe_stashes[0].module.watch.aws_cloudwatch_metric_alarm.failures["watcher"]
}

moved {
  from = module.warcraftlogs[0].module.watch.aws_cloudwatch_metric_alarm.throttled["follower"]
  to   = module.poe_stashes[0].module.watch.aws_cloudwatch_metric_alarm.throttled["follower"]
}
