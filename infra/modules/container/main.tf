# A fleet, or a part of it, as a container task of ECS on Fargate: for listeners, which hold a connection and have no
# Lambda form. The image is made by `scripts/package --image`.

locals {
  task_name = "${var.fleet.stem}-${var.name}"

  # Secrets are in SSM under the names that functions use too. ECS reads them when a task starts.
  secrets = [for secret in var.secrets : {
    name      = secret
    valueFrom = "arn:${var.fleet.partition}:ssm:${var.fleet.region}:${var.fleet.account}:parameter${var.fleet.secret_path}/${secret}"
  }]

  container = {
    name                   = var.name
    image                  = var.image
    command                = var.command
    essential              = true
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    stopTimeout            = 60 # the program ends within 30 seconds of SIGTERM
    environment            = [for name, value in var.fleet.environment : { name = name, value = value }]
    secrets                = local.secrets

    # The image declares this folder as a volume of its user, which a mount takes over.
    mountPoints = [{ sourceVolume = "home", containerPath = "/var/lib/stint", readOnly = false }]

    linuxParameters = {
      capabilities       = { drop = ["ALL"], add = [] }
      initProcessEnabled = true
    }

    # A process that stands still does not renew its record in the folder, and is replaced.
    healthCheck = {
      command     = ["CMD", "/stint", "status", "--health"]
      interval    = 30
      timeout     = 5
      retries     = 3
      startPeriod = 60
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = var.fleet.region
        awslogs-stream-prefix = var.name
      }
    }
  }
}

resource "aws_ecs_task_definition" "this" {
  #checkov:skip=CKV_AWS_97:There is no EFS volume; the folder is ephemeral.
  family                   = local.task_name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory_mb
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([local.container])

  runtime_platform {
    cpu_architecture        = "ARM64"
    operating_system_family = "LINUX"
  }

  # What must last is in the fleet's stores. The folder has schedules and the records of this one process.
  volume {
    name = "home"
  }
}

resource "aws_ecs_service" "this" {
  #checkov:skip=CKV_AWS_333:A task in a public subnet needs an address to reach upstreams; its security group admits nothing.
  name             = local.task_name
  cluster          = var.cluster_arn
  task_definition  = aws_ecs_task_definition.this.arn
  desired_count    = var.desired_count
  launch_type      = "FARGATE"
  platform_version = "LATEST"
  propagate_tags   = "SERVICE"

  # With leases, the new task stands by until the old one has ended its connection.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.network.subnet_ids
    security_groups  = var.network.security_group_ids
    assign_public_ip = var.network.public_address
  }

  # Otherwise its first task could not write its log or read its secrets.
  depends_on = [aws_iam_role_policy.logs, aws_iam_role_policy.secrets]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:No secret and no token is in any log; CloudWatch encrypts it with its own key.
  #checkov:skip=CKV_AWS_338:Logs are for finding faults, and what is worth keeping is in the database. The days are a variable.
  name              = "/aws/ecs/${local.task_name}"
  retention_in_days = var.fleet.log_retention_days
}
