# What all fleets of this installation share. A fleet is a file here that calls the module of the same name with these
# values.

locals {
  # The default installation's queues have the names in `stint describe`. They existed before `prefix`, and renaming a
  # queue loses its messages.
  queue_prefix = var.prefix == "stint" ? "" : "${var.prefix}-"

  tags = {
    project      = "stint"
    installation = var.prefix
  }

  installation = {
    prefix    = var.prefix
    region    = var.region
    account   = data.aws_caller_identity.current.account_id
    partition = data.aws_partition.current.partition

    queue_prefix = local.queue_prefix

    # The namespace of the workers' own metrics: `Stint` by default.
    metrics_namespace = title(var.prefix)
    alarms_topic_arn  = aws_sns_topic.alarms.arn

    secrets_key_arn     = var.secrets_key_arn
    network             = var.network
    log_retention_days  = var.log_retention_days
    reserve_concurrency = var.reserve_concurrency

    # The settings that every function has in addition to those of its fleet.
    environment = {
      MIMALLOC_ALLOW_THP      = "0" # huge pages would be 8 MB more for each worker
      STINT_AWS_DEAD_LETTERS  = "${local.queue_prefix}{}-dead-letters"
      STINT_AWS_QUEUE         = "${local.queue_prefix}{}"
      STINT_HOME              = "/tmp/stint" # the only place that a function may write to is /tmp
      STINT_LOG               = var.log_level
      STINT_LOG_FORMAT        = "json"
      STINT_METRICS           = "emf"
      STINT_METRICS_NAMESPACE = title(var.prefix)
    }
  }
}
