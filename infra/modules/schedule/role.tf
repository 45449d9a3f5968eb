# The role with which Scheduler calls this one function.

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    # No other schedule may use the role. Scheduler passes the group, not the schedule:
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [var.group.arn]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = "${var.worker.function_name}-schedule-${var.fleet.region}" # unique in the account, whatever the region
  description        = "Lets EventBridge Scheduler start ${var.worker.function_name}"
  assume_role_policy = data.aws_iam_policy_document.assume.json

  # A renamed role is created before the schedule stops using the old one.
  lifecycle {
    create_before_destroy = true
  }
}

data "aws_iam_policy_document" "invoke" {
  statement {
    sid       = "StartTheWorker"
    actions   = ["lambda:InvokeFunction"]
    resources = [var.worker.function_arn]
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "invoke"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.invoke.json
}
