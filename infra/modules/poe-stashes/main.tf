# The fleet `poe-stashes`: follower and watcher as functions, with their queues and schedule. Names, time-outs,
# concurrency, batches, receives and periods are those in `stint describe --json`; workers/stint/tests/it/infra.rs
# compares them. The indexer writes a file and therefore runs on a machine.

locals {
  stem         = "${var.installation.prefix}-poe-stashes"
  pages_prefix = "pages"

  # Made here and not taken from resources, where a circle would arise: a function's settings name functions.
  functions = "arn:${var.installation.partition}:lambda:${var.installation.region}:${var.installation.account}:function:${var.installation.prefix}"

  # What all workers have in common.
  fleet = merge(var.installation, {
    name        = "poe-stashes"
    stem        = local.stem
    secret_path = "/${var.installation.prefix}/poe-stashes"
    environment = merge(var.settings, var.installation.environment, {
      POE_BLOBS                 = "s3://${var.bucket}/${local.pages_prefix}"
      POE_CLIENT_ID             = var.client_id
      POE_CONTACT               = var.contact
      STINT_AWS_FUNCTION        = "${local.functions}-{fleet}-{worker}"
      STINT_AWS_RECURRING_GROUP = aws_scheduler_schedule_group.schedules.name
      STINT_PROFILE             = "aws"
    })
  })
}

# It compresses what it receives, at most a few megabytes a second, and handles up to POE_OPEN_PAGES pages at once.
module "follower" {
  source          = "../worker"
  fleet           = local.fleet
  name            = "follower"
  timeout_seconds = 900
  memory_mb       = 512
  concurrency     = 2
  secrets         = concat(["POE_CLIENT_SECRET"], lookup(var.secrets, "follower", []))
  feeds_itself    = true
}

module "chain" {
  source                     = "../queue"
  fleet                      = local.fleet
  name                       = "poe-chain"
  worker                     = module.follower
  batch                      = 1
  visibility_timeout_seconds = 5400
  max_receives               = 5
  concurrency                = 2 # the least that a mapping takes; of two followers one finds the chain claimed
  steered                    = false
}

module "watcher" {
  source          = "../worker"
  fleet           = local.fleet
  name            = "watcher"
  timeout_seconds = 60
  memory_mb       = 128
  concurrency     = 1
  secrets         = concat(["POE_CLIENT_SECRET"], lookup(var.secrets, "watcher", []))
}

module "watcher_schedule" {
  source        = "../schedule"
  fleet         = local.fleet
  group         = aws_scheduler_schedule_group.schedules
  worker        = module.watcher
  every_minutes = 2
}

# Received by the indexer on a machine, or by a consumer of your own.
resource "aws_sqs_queue" "stored_pages" {
  name                       = "${var.installation.queue_prefix}poe-stored-pages"
  visibility_timeout_seconds = 150
  message_retention_seconds  = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.stored_pages_dead_letters.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "stored_pages_dead_letters" {
  name                      = "${var.installation.queue_prefix}poe-stored-pages-dead-letters"
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = true
}

# The recurring schedules belong to Terraform; no worker may change this group.
resource "aws_scheduler_schedule_group" "schedules" {
  name = "${local.stem}-schedules"
}
