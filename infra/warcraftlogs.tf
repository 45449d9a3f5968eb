# The fleet `warcraftlogs`. Names, time-outs, concurrency, batches, receives and periods are those that
# `stint describe --json` tells; workers/stint/tests/it/infra.rs compares.

locals {
  fleet = "warcraftlogs"

  # Names are made here and not taken from resources where a circle would arise: a function's settings and its role's
  # rights name functions.
  prefix       = "stint-${local.fleet}"
  account      = data.aws_caller_identity.current.account_id
  partition    = data.aws_partition.current.partition
  function_arn = "arn:${local.partition}:lambda:${var.region}:${local.account}:function:${local.prefix}"

  # What all workers have in common.
  installation = {
    fleet               = local.fleet
    prefix              = local.prefix
    package             = var.package
    secret_path         = var.secret_path
    parameter_arn       = "arn:${local.partition}:ssm:${var.region}:${local.account}:parameter"
    secrets_key_arn     = var.secrets_key_arn
    network             = var.network
    log_retention_days  = var.log_retention_days
    reserve_concurrency = var.reserve_concurrency
    environment = merge(var.settings, {
      CONCURRENCY_LIMIT        = tostring(var.concurrency_limit)
      DISCOVERY_SOURCE         = var.discovery_source
      LUA_REPOSITORY           = var.lua_repository
      MIMALLOC_ALLOW_THP       = "0" # huge pages would be 8 MB more for each worker
      STINT_AWS_FUNCTION       = "${local.function_arn}-{}"
      STINT_AWS_SCHEDULE_GROUP = aws_scheduler_schedule_group.wakeups.name
      STINT_AWS_SCHEDULER_ROLE = aws_iam_role.wakeups.arn
      STINT_HOME               = "/tmp/stint" # the only place that a function may write to is /tmp
      STINT_LOG                = var.log_level
      STINT_LOG_FORMAT         = "json"
      STINT_METRICS            = "emf"
      STINT_PROFILE            = "aws"
    })
  }
}

# Little memory keeps it slow, and the site patient: the source document runs it with 256 MB for that reason.
module "discover" {
  source          = "./modules/worker"
  installation    = local.installation
  name            = "discover"
  timeout_seconds = 900
  memory_mb       = 256
  concurrency     = 1
  secrets         = var.discovery_source == "reports" || var.rules_name_servers ? ["MONGODB_URI", "WCL_KEYS"] : ["MONGODB_URI"]
}

module "discover_schedule" {
  source        = "./modules/schedule"
  group         = aws_scheduler_schedule_group.schedules
  worker        = module.discover
  every_minutes = 30
}

# It keeps 16 bytes for each player that it chooses, and sends 16 batches at once.
module "aggregator" {
  source          = "./modules/worker"
  installation    = local.installation
  name            = "aggregator"
  timeout_seconds = 900
  memory_mb       = 256
  concurrency     = 1
  secrets         = ["MONGODB_URI"]
}

module "aggregator_schedule" {
  source        = "./modules/schedule"
  group         = aws_scheduler_schedule_group.schedules
  worker        = module.aggregator
  every_minutes = 180
}

# It waits for the upstream most of the time, so that the least memory is the cheapest.
module "rank_fetcher" {
  source          = "./modules/worker"
  installation    = local.installation
  name            = "rank-fetcher"
  timeout_seconds = 120
  memory_mb       = 128
  concurrency     = var.concurrency_limit
  secrets         = ["MONGODB_URI", "WCL_KEYS"]
}

module "discovered_players" {
  source                     = "./modules/queue"
  name                       = "wcl-discovered-players"
  worker                     = module.rank_fetcher
  batch                      = 5
  visibility_timeout_seconds = 720
  max_receives               = 5
  concurrency                = var.concurrency_limit
  steered                    = true
}

# Players whom a person waits for: not steered by the throttle, since its reserve of points is there for it.
module "refresher" {
  source          = "./modules/worker"
  installation    = local.installation
  name            = "refresher"
  timeout_seconds = 120
  memory_mb       = 128
  concurrency     = 2
  secrets         = ["MONGODB_URI", "WCL_KEYS"]
}

module "refresh_players" {
  source                     = "./modules/queue"
  name                       = "wcl-refresh-players"
  worker                     = module.refresher
  batch                      = 5
  visibility_timeout_seconds = 720
  max_receives               = 5
  concurrency                = 2
  steered                    = false
}

module "reviver" {
  source          = "./modules/worker"
  installation    = local.installation
  name            = "reviver"
  timeout_seconds = 120
  memory_mb       = 128
  concurrency     = 1
  secrets         = ["MONGODB_URI", "WCL_KEYS"]
}

# The sweep that makes up for a lost wake-up. A fleet stands still until it has run, so that it is tried again.
module "reviver_schedule" {
  source        = "./modules/schedule"
  group         = aws_scheduler_schedule_group.schedules
  worker        = module.reviver
  every_minutes = 10
  retries       = 2
}

# It compresses all players, for which it gets a whole processor: Lambda gives one at 1,769 MB. It runs once a day.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
module "db_generator" {
  source          = "./modules/worker"
  installation    = local.installation
  name            = "db-generator"
  timeout_seconds = 900
  memory_mb       = 1769
  disk_mb         = 2048
  concurrency     = 1
  secrets         = ["MONGODB_URI", "GIT_TOKEN"]
}

# A day without databases is long, and running it twice pushes nothing new.
module "db_generator_schedule" {
  source        = "./modules/schedule"
  group         = aws_scheduler_schedule_group.schedules
  worker        = module.db_generator
  every_minutes = 1440
  retries       = 2
}

# The recurring schedules are Terraform's alone; no worker may touch this group.
resource "aws_scheduler_schedule_group" "schedules" {
  name = "${local.prefix}-schedules"
}
