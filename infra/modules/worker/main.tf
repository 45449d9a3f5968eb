# A worker: a function, the role that it runs as, and its log group.

locals {
  function_name = "${var.fleet.stem}-${var.name}"

  # The name of each secret in SSM. The last part of the name is the setting.
  parameters = [for secret in var.secrets : "${var.fleet.secret_path}/${secret}"]
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:The program sends its traces by OTLP where that is set; X-Ray would show the invocation alone and cost per invocation.
  #checkov:skip=CKV_AWS_116:What starts a worker comes again: a schedule by its next tick, a wake-up by the sweep, a batch by its queue, which has dead letters.
  #checkov:skip=CKV_AWS_173:No variable is a secret: secrets are in SSM. Lambda encrypts the variables with its own key.
  #checkov:skip=CKV_AWS_272:The package is built and uploaded by the person who applies this; a signing profile of the same account would prove nothing more.
  function_name    = local.function_name
  description      = "Stint: worker ${var.name} of the fleet ${var.fleet.name}"
  role             = aws_iam_role.this.arn
  package_type     = "Zip"
  filename         = var.fleet.package
  source_code_hash = filebase64sha256(var.fleet.package)
  runtime          = "provided.al2023"
  architectures    = ["arm64"]
  handler          = "bootstrap"
  timeout          = var.timeout_seconds
  memory_size      = var.memory_mb

  # A reservation is also the limit. Without one, only mappings limit how many invocations run. Scheduled workers rely
  # on their leases, so a concurrent second run is wasteful but harmless.
  reserved_concurrent_executions = var.fleet.reserve_concurrency ? var.concurrency : -1

  environment {
    variables = merge(var.fleet.environment, {
      STINT_AWS_SECRETS = join(",", local.parameters) # their names alone; the program reads what they hold
      STINT_WORKER      = "${var.fleet.name}/${var.name}"
    })
  }

  ephemeral_storage {
    size = var.disk_mb
  }

  logging_config {
    log_format = "Text" # the program writes JSON itself
    log_group  = aws_cloudwatch_log_group.this.name
  }

  dynamic "vpc_config" {
    for_each = var.fleet.network[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  # Otherwise its first invocation would fail, or create a log group without a retention period.
  depends_on = [aws_iam_role_policy.logs, aws_iam_role_policy.secrets]
}

# Lambda stops an invocation that its own queue has caused sixteen times in a row, and the message becomes a dead letter.
# A worker that continues its work by a message to itself does so on purpose, and each message makes progress.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
resource "aws_lambda_function_recursion_config" "this" {
  count          = var.feeds_itself ? 1 : 0
  function_name  = aws_lambda_function.this.function_name
  recursive_loop = "Allow"
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:No secret and no token is in any log; CloudWatch encrypts it with its own key.
  #checkov:skip=CKV_AWS_338:Logs are for finding faults, and what is worth keeping is in the database. The days are a variable.
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.fleet.log_retention_days
}
