# The role with which EventBridge Scheduler starts a worker when its wake-up is due.

data "aws_iam_policy_document" "assume_wakeups" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    # Only schedules of this group may use the role. Scheduler passes the group, not the schedule:
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

  # A renamed role is created before the functions stop using the old one.
  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # The workers that have wake-ups according to `stint describe`.
  woken = ["aggregator", "db-generator", "discover", "reviver"]
}

data "aws_iam_policy_document" "wakeups" {
  statement {
    sid       = "StartTheWorkers"
    actions   = ["lambda:InvokeFunction"]
    resources = [for worker in local.woken : "${local.functions}-${local.fleet.name}-${worker}"]
  }
}

resource "aws_iam_role_policy" "wakeups" {
  name   = "invoke"
  role   = aws_iam_role.wakeups.id
  policy = data.aws_iam_policy_document.wakeups.json
}
