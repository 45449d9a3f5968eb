# The rights of the workers that plan the budget: rank-fetcher and refresher after each batch, reviver after each reset.
# They send parked players back to their queues, steer the rank fetcher's mapping, and set the reviver's wake-up. Also
# the rights of the workers that start the next worker: they set its wake-up, and nothing else.

locals {
  planners = {
    rank-fetcher = module.rank_fetcher.role_name
    refresher    = module.refresher.role_name
    reviver      = module.reviver.role_name
  }

  # The planners' wake-up: `REVIVE` in workers/warcraftlogs/src/budget.rs.
  wakeup = "revive-rank-fetcher"

  # The ARN prefix of the wake-ups.
  schedules = "arn:${var.installation.partition}:scheduler:${var.installation.region}:${var.installation.account}:schedule/${aws_scheduler_schedule_group.wakeups.name}"

  # The wake-ups that each worker sets to start the next one: `WORKER_WAKEUPS` in workers/warcraftlogs/src/next_worker.rs. A
  # name that ends in a hyphen is followed by a rule's id.
  handovers = {
    discover     = ["aggregate-discovered", "discover-after-*", "discover-again", "discover-when-due"]
    aggregator   = ["aggregate-after-last", "aggregate-again", "generate-databases"]
    rank-fetcher = ["aggregate-after-queue"]
  }

  handing_over = {
    discover     = module.discover.role_name
    aggregator   = module.aggregator.role_name
    rank-fetcher = module.rank_fetcher.role_name
  }
}

# Contains only wake-ups. The group's name is a setting of the functions.
resource "aws_scheduler_schedule_group" "wakeups" {
  name = "${local.stem}-wakeups"
}

data "aws_iam_policy_document" "planning" {
  statement {
    sid       = "SendPlayersBack"
    actions   = ["sqs:SendMessage"]
    resources = [module.discovered_players.arn, module.refresh_players.arn]
  }

  statement {
    sid     = "CountWhatWaits"
    actions = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
    resources = [
      module.discovered_players.arn,
      module.discovered_players.dead_letters_arn,
      module.refresh_players.arn,
      module.refresh_players.dead_letters_arn,
    ]
  }

  statement {
    sid       = "SteerTheRankFetcher"
    actions   = ["lambda:UpdateEventSourceMapping"]
    resources = [module.discovered_players.mapping_arn]
  }

  # A mapping's id is unknown before its function exists, so the function looks it up. Listing does not support
  # resources:
  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
  statement {
    sid       = "FindTheMapping"
    actions   = ["lambda:ListEventSourceMappings"]
    resources = ["*"]
  }

  # The source document's own rule lowers the function's reserved concurrency at each refusal, and the reviver restores it.
  dynamic "statement" {
    for_each = var.budget_strategy == "worst-case" ? ["reserved"] : []

    content {
      sid       = "SteerItsReservedConcurrency"
      actions   = ["lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency"]
      resources = [module.rank_fetcher.function_arn]
    }
  }

  statement {
    sid       = "SetTheWakeup"
    actions   = ["scheduler:CreateSchedule", "scheduler:UpdateSchedule"]
    resources = ["${local.schedules}/${local.wakeup}"]
  }

  statement {
    sid       = "LetSchedulerStartTheReviver"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.wakeups.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["scheduler.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "planning" {
  for_each = local.planners
  name     = "planning"
  role     = each.value
  policy   = data.aws_iam_policy_document.planning.json
}

data "aws_iam_policy_document" "handing_over" {
  for_each = local.handovers

  statement {
    sid       = "SetTheNextWorkersWakeup"
    actions   = ["scheduler:CreateSchedule", "scheduler:UpdateSchedule"]
    resources = [for wakeup in each.value : "${local.schedules}/${wakeup}"]
  }

  statement {
    sid       = "LetSchedulerStartIt"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.wakeups.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["scheduler.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "handing_over" {
  for_each = local.handing_over
  name     = "handing-over"
  role     = each.value
  policy   = data.aws_iam_policy_document.handing_over[each.key].json
}

# The aggregator's rights: fill the queue, as far as there is room in it.
data "aws_iam_policy_document" "aggregating" {
  statement {
    sid       = "SendPlayers"
    actions   = ["sqs:SendMessage"]
    resources = [module.discovered_players.arn]
  }

  statement {
    sid       = "CountWhatWaits"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
    resources = [module.discovered_players.arn, module.discovered_players.dead_letters_arn]
  }
}

resource "aws_iam_role_policy" "aggregating" {
  name   = "aggregating"
  role   = module.aggregator.role_name
  policy = data.aws_iam_policy_document.aggregating.json
}
