# The role in which EventBridge Scheduler starts a worker when its wake-up is due.

data "aws_iam_policy_document" "assume_wakeups" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    # Of this group alone. Scheduler names the group, not the schedule:
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_scheduler_schedule_group.wakeups.arn]
    }
  }
}

resource "aws_iam_role" "wakeups" {
  name               = "${local.stem}-wakeups-${var.installation.region}" # unique in the account, whatever the region
  description        = "Lets EventBridge Scheduler start the workers of ${local.stem} that have wake-ups"
  assume_role_policy = data.aws_iam_policy_document.assume_wakeups.json

  # A role that gets another name is there before the functions leave the old one.
  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # The workers that have wake-ups, as `stint describe` tells.
  woken = ["aggregator", "db-generator", "discover", "reviver"]
}

data "aws_iam_policy_document" "wakeups" {
  statement {
    sid       = "StartTheWorkers"
    actions   = ["lambda:InvokeFunction"]
    resources = [for worker in local.woken : "${local.function_arn}-${worker}"]
  }
}

resource "aws_iam_role_policy" "wakeups" {
  name   = "invoke"
  role   = aws_iam_role.wakeups.id
  policy = data.aws_iam_policy_document.wakeups.json
}
