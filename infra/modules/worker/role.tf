# A worker's role starts with its log and its secrets. The queue module and the planning rights add theirs.

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = "${local.function_name}-${var.fleet.region}" # unique in the account, whatever the region
  description        = "Permissions of the worker ${var.name} of the fleet ${var.fleet.name}"
  assume_role_policy = data.aws_iam_policy_document.assume.json

  # A renamed role is created before the function stops using the old one.
  lifecycle {
    create_before_destroy = true
  }
}

data "aws_iam_policy_document" "logs" {
  statement {
    sid       = "WriteItsLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

resource "aws_iam_role_policy" "logs" {
  name   = "logs"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.logs.json
}

data "aws_iam_policy_document" "secrets" {
  statement {
    sid       = "ReadItsSecrets"
    actions   = ["ssm:GetParameters"]
    resources = [for parameter in local.parameters : "arn:${var.fleet.partition}:ssm:${var.fleet.region}:${var.fleet.account}:parameter${parameter}"]
  }

  # The account's default SSM key admits everyone who may read the parameter. Any other key must be permitted
  # explicitly.
  dynamic "statement" {
    for_each = var.fleet.secrets_key_arn[*]

    content {
      sid       = "DecryptThem"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "secrets" {
  name   = "secrets"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.secrets.json
}

# Network interfaces, for functions in a network. This is AWS's own policy, because it follows what Lambda needs.
resource "aws_iam_role_policy_attachment" "network" {
  count      = var.fleet.network == null ? 0 : 1
  role       = aws_iam_role.this.name
  policy_arn = "arn:${var.fleet.partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"
}
