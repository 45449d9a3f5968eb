# The fleet `warcraftlogs`: its workers, queues and schedules. Names, time-outs, concurrency, batches, receives and
# periods are those in `stint describe --json`; workers/stint/tests/it/infra.rs compares them.

locals {
  stem = "${var.installation.prefix}-warcraftlogs"

  # Composed here instead of taken from resources, to avoid a cycle: a function's settings and its role's rights name
  # other functions.
  functions = "arn:${var.installation.partition}:lambda:${var.installation.region}:${var.installation.account}:function:${var.installation.prefix}"

  # What all workers have in common.
  fleet = merge(var.installation, {
    name        = "warcraftlogs"
    stem        = local.stem
    secret_path = "/${var.installation.prefix}/warcraftlogs"
    environment = merge(var.settings, var.installation.environment, {
      BUDGET_STRATEGY           = var.budget_strategy
      CONCURRENCY_LIMIT         = tostring(var.concurrency_limit)
      DISCOVERY_SOURCE          = var.discovery_source
      LUA_REPOSITORY            = var.lua_repository
      STINT_AWS_FUNCTION        = "${local.functions}-{fleet}-{worker}"
      STINT_AWS_RECURRING_GROUP = aws_scheduler_schedule_group.schedules.name
      STINT_AWS_SCHEDULE_GROUP  = aws_scheduler_schedule_group.wakeups.name
      STINT_AWS_SCHEDULER_ROLE  = aws_iam_role.wakeups.arn
      STINT_PROFILE             = "aws"
    })
  })
}

# Little memory keeps it slow, which spares the site. The source document runs it with 256 MB for that reason.
module "discover" {
  source          = "../worker"
  fleet           = local.fleet
  name            = "discover"
  timeout_seconds = 900
  memory_mb       = 256
  concurrency     = 1
  secrets         = concat(var.discovery_source == "reports" || var.rules_name_servers ? ["MONGODB_URI", "WCL_KEYS"] : ["MONGODB_URI"], lookup(var.secrets, "discover", []))
}

module "discover_schedule" {
  source        = "../schedule"
  fleet         = local.fleet
  group         = aws_scheduler_schedule_group.schedules
  worker        = module.discover
  every_minutes = 30
}

# It needs 16 bytes for each player that it selects, and sends 16 batches at once.
module "aggregator" {
  source          = "../worker"
  fleet           = local.fleet
  name            = "aggregator"
  timeout_seconds = 900
  memory_mb       = 256
  concurrency     = 1
  secrets         = concat(["MONGODB_URI"], lookup(var.secrets, "aggregator", []))
}

module "aggregator_schedule" {
  source        = "../schedule"
  fleet         = local.fleet
  group         = aws_scheduler_schedule_group.schedules
  worker        = module.aggregator
  every_minutes = 180
}

# It waits for the upstream most of the time, so the least memory is the cheapest.
module "rank_fetcher" {
  source          = "../worker"
  fleet           = local.fleet
  name            = "rank-fetcher"
  timeout_seconds = 120
  memory_mb       = 128
  concurrency     = var.concurrency_limit
  secrets         = concat(["MONGODB_URI", "WCL_KEYS"], lookup(var.secrets, "rank-fetcher", []))
  feeds_itself    = true
}

module "discovered_players" {
  source                     = "../queue"
  fleet                      = local.fleet
  name                       = "wcl-discovered-players"
  worker                     = module.rank_fetcher
  batch                      = 5
  visibility_timeout_seconds = 720
  max_receives               = 5
  concurrency                = var.concurrency_limit
  steered                    = true
}

# It fetches players that a user waits for. The throttle does not steer it, because a reserve of points is kept for it.
module "refresher" {
  source          = "../worker"
  fleet           = local.fleet
  name            = "refresher"
  timeout_seconds = 120
  memory_mb       = 128
  concurrency     = 2
  secrets         = concat(["MONGODB_URI", "WCL_KEYS"], lookup(var.secrets, "refresher", []))
  feeds_itself    = true
}

module "refresh_players" {
  source                     = "../queue"
  fleet                      = local.fleet
  name                       = "wcl-refresh-players"
  worker                     = module.refresher
  batch                      = 5
  visibility_timeout_seconds = 720
  max_receives               = 5
  concurrency                = 2
  steered                    = false
}

module "reviver" {
  source          = "../worker"
  fleet           = local.fleet
  name            = "reviver"
  timeout_seconds = 120
  memory_mb       = 128
  concurrency     = 1
  secrets         = concat(["MONGODB_URI", "WCL_KEYS"], lookup(var.secrets, "reviver", []))
}

# The sweep that makes up for a lost wake-up. The fleet does nothing until it has run, so a failed run is retried.
module "reviver_schedule" {
  source        = "../schedule"
  fleet         = local.fleet
  group         = aws_scheduler_schedule_group.schedules
  worker        = module.reviver
  every_minutes = 10
  retries       = 2
}

# It compresses all players, for which it gets a whole processor: Lambda assigns one at 1,769 MB. It runs once a day.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
module "db_generator" {
  source          = "../worker"
  fleet           = local.fleet
  name            = "db-generator"
  timeout_seconds = 900
  memory_mb       = 1769
  disk_mb         = 2048
  concurrency     = 1
  secrets         = concat(["MONGODB_URI", "GIT_TOKEN"], lookup(var.secrets, "db-generator", []))
}

# A day without new databases is long, so a failed run is retried. Running twice pushes nothing new.
module "db_generator_schedule" {
  source        = "../schedule"
  fleet         = local.fleet
  group         = aws_scheduler_schedule_group.schedules
  worker        = module.db_generator
  every_minutes = 1440
  retries       = 2
}

# The recurring schedules belong to Terraform; no worker may change this group.
resource "aws_scheduler_schedule_group" "schedules" {
  name = "${local.stem}-schedules"
}
