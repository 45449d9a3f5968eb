# The fleet `poe-stashes`, where `poe_stashes` is set: follower and watcher as functions, two queues, and the bucket that
# keeps the pages and the chain's record. Names, time-outs, concurrency, batches, receives and periods are those that
# `stint describe --json` tells; workers/stint/tests/it/infra.rs compares. The indexer writes a file, and runs on a machine.

variable "poe_stashes" {
  description = "The client that follows the river of stashes, who it belongs to, and the bucket to make for its pages. Without it the fleet is not deployed. POE_CLIENT_SECRET is a secret: put it into SSM by hand."
  type = object({
    client_id = string
    contact   = string
    bucket    = string
  })
  default = null
}

locals {
  poe_count        = var.poe_stashes == null ? 0 : 1
  poe_prefix       = "stint-poe-stashes"
  poe_bucket       = try(var.poe_stashes.bucket, "")
  poe_pages_prefix = "pages"
  poe_realm        = lookup(var.settings, "POE_REALM", "pc")

  poe_installation = merge(local.installation, {
    fleet  = "poe-stashes"
    prefix = local.poe_prefix
    environment = merge(var.settings, {
      MIMALLOC_ALLOW_THP = "0" # huge pages would be 8 MB more for each worker
      POE_BLOBS          = "s3://${local.poe_bucket}/${local.poe_pages_prefix}"
      POE_CLIENT_ID      = try(var.poe_stashes.client_id, "")
      POE_CONTACT        = try(var.poe_stashes.contact, "")
      STINT_HOME         = "/tmp/stint" # the only place that a function may write to is /tmp
      STINT_LOG          = var.log_level
      STINT_LOG_FORMAT   = "json"
      STINT_METRICS      = "emf"
      STINT_QUEUES       = "sqs"
    })
  })
}

# What alarms.tf and dashboard.tf look after beside the first fleet.
locals {
  poe_queues = { for name, entry in {
    # A message that died with its follower is out of sight for an hour and a half.
    chain = { queue = one(module.chain), oldest_hours = 2 }
    # Nobody may consume it for a while; SQS forgets what is older than two weeks.
    stored-pages = {
      queue = {
        name              = one(aws_sqs_queue.stored_pages[*].name)
        dead_letters_name = one(aws_sqs_queue.stored_pages_dead_letters[*].name)
      }
      oldest_hours = 72
    }
  } : name => merge(entry, { prefix = local.poe_prefix }) if var.poe_stashes != null }

  # A follower that fails has its message again; the watcher's next turn is two minutes away.
  poe_upstreams = { for name in ["poe-stashes-pages", "poe-stashes-head"] : name => { prefix = local.poe_prefix } if var.poe_stashes != null }

  poe_workers = { for name, entry in {
    follower = { function = one(module.follower[*].function_name), failures = 3, fed_by_queue = true }
    watcher  = { function = one(module.watcher[*].function_name), failures = 3, fed_by_queue = false }
  } : name => merge(entry, { prefix = local.poe_prefix }) if var.poe_stashes != null }
}

# It compresses what it is sent, a few megabytes a second at the most, and keeps up to POE_OPEN_PAGES pages at once.
module "follower" {
  count           = local.poe_count
  source          = "./modules/worker"
  installation    = local.poe_installation
  name            = "follower"
  timeout_seconds = 900
  memory_mb       = 512
  concurrency     = 2
  secrets         = ["POE_CLIENT_SECRET"]
}

module "chain" {
  count                      = local.poe_count
  source                     = "./modules/queue"
  name                       = "poe-chain"
  worker                     = module.follower[0]
  batch                      = 1
  visibility_timeout_seconds = 5400
  max_receives               = 5
  concurrency                = 2 # the least that a mapping takes; of two followers one finds the chain claimed
  steered                    = false
}

module "watcher" {
  count           = local.poe_count
  source          = "./modules/worker"
  installation    = local.poe_installation
  name            = "watcher"
  timeout_seconds = 60
  memory_mb       = 128
  concurrency     = 1
  secrets         = ["POE_CLIENT_SECRET"]
}

module "watcher_schedule" {
  count         = local.poe_count
  source        = "./modules/schedule"
  group         = aws_scheduler_schedule_group.schedules
  worker        = module.watcher[0]
  every_minutes = 2
}

# Whoever consumes receives from here: the indexer on a machine, or a reader of your own.
resource "aws_sqs_queue" "stored_pages" {
  count                      = local.poe_count
  name                       = "poe-stored-pages"
  visibility_timeout_seconds = 150
  message_retention_seconds  = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.stored_pages_dead_letters[0].arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "stored_pages_dead_letters" {
  count                     = local.poe_count
  name                      = "poe-stored-pages-dead-letters"
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = true
}

resource "aws_s3_bucket" "pages" {
  #checkov:skip=CKV_AWS_18:Two functions write, and their logs tell what.
  #checkov:skip=CKV_AWS_21:A page is written once and never replaced, so that there is no version to keep.
  #checkov:skip=CKV_AWS_144:What was public for a moment is not worth a second region.
  #checkov:skip=CKV_AWS_145:Pages are public data; S3 encrypts them with its own key.
  #checkov:skip=CKV2_AWS_62:The queue tells of stored pages, after they are durable.
  count  = local.poe_count
  bucket = local.poe_bucket
}

resource "aws_s3_bucket_public_access_block" "pages" {
  count                   = local.poe_count
  bucket                  = aws_s3_bucket.pages[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# What an upload that died has left aside, and parts of uploads that were never completed.
resource "aws_s3_bucket_lifecycle_configuration" "pages" {
  count  = local.poe_count
  bucket = aws_s3_bucket.pages[0].id

  rule {
    id     = "uploads"
    status = "Enabled"

    filter {
      prefix = "${local.poe_pages_prefix}/uploads/"
    }

    expiration {
      days = 1
    }
  }

  rule {
    id     = "parts"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

data "aws_iam_policy_document" "follow" {
  count = local.poe_count

  statement {
    sid       = "KeepPagesAndTheChain"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${aws_s3_bucket.pages[0].arn}/${local.poe_pages_prefix}/*"]
  }

  # Without it a page that is not there is answered with 403.
  statement {
    sid       = "SeeWhatIsThere"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.pages[0].arn]
  }

  statement {
    sid       = "HandOn"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"]
    resources = [module.chain[0].arn, aws_sqs_queue.stored_pages[0].arn]
  }

  # Counting what waits counts its dead letters too.
  statement {
    sid       = "CountWhatWaits"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
    resources = [module.chain[0].dead_letters_arn]
  }
}

resource "aws_iam_role_policy" "follow" {
  for_each = var.poe_stashes == null ? {} : { follower = module.follower[0].role_name, watcher = module.watcher[0].role_name }
  name     = "follow"
  role     = each.value
  policy   = data.aws_iam_policy_document.follow[0].json
}

resource "aws_cloudwatch_metric_alarm" "lag" {
  count               = local.poe_count
  alarm_name          = "${local.poe_prefix}-lag"
  alarm_description   = "The chain is behind the river, or has stopped: `stint status` tells how far in each shard, and why."
  namespace           = "Stint"
  metric_name         = "Lag"
  dimensions          = { Stream = local.poe_realm }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = tonumber(lookup(var.settings, "POE_LAG_ALARM_SECONDS", "300"))
  # Without a watcher nothing is known.
  treat_missing_data = "breaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]
  ok_actions         = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "lost_pages" {
  count               = local.poe_count
  alarm_name          = "${local.poe_prefix}-lost-pages"
  alarm_description   = "A page was given up: `stint status` names it and says why."
  namespace           = "Stint"
  metric_name         = "PagesLost"
  dimensions          = { Stream = local.poe_realm }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}
