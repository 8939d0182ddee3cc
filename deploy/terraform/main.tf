# Twinrow as an ECS service on Fargate: a task that copies, its role, the secret, its log and its alarms.

data "aws_region" "here" {}

locals {
  secret_arn = var.mysql_password_secret_arn != "" ? var.mysql_password_secret_arn : aws_secretsmanager_secret.mysql_password[0].arn

  # The file is written at the start of each task, so a changed configuration is a new task definition. `exec`: SIGTERM
  # reaches Twinrow itself, which ends after the batch in hand.
  start = "umask 077 && printf '%s' \"$TWINROW_TOML\" > /tmp/twinrow.toml && exec twinrow --json-logs sync --config /tmp/twinrow.toml --metrics 0.0.0.0:9642"
}

resource "aws_secretsmanager_secret" "mysql_password" {
  count       = var.mysql_password_secret_arn == "" ? 1 : 0
  name        = "${var.name}/mysql-password"
  description = "The password of Twinrow's MySQL user; its text is the password."
  tags        = var.tags
}

resource "aws_cloudwatch_log_group" "twinrow" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# The role of the process: what `twinrow iam-policy` prints, and nothing else.
resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
  tags               = var.tags
}

resource "aws_iam_policy" "dynamodb" {
  count  = length(var.policies)
  name   = "${var.name}-dynamodb-${count.index + 1}"
  policy = var.policies[count.index]
  tags   = var.tags
}

resource "aws_iam_role_policy_attachment" "dynamodb" {
  count      = length(var.policies)
  role       = aws_iam_role.task.name
  policy_arn = aws_iam_policy.dynamodb[count.index].arn
}

# The role by which ECS starts the task: it pulls the image, writes the log and reads the secret.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "secret" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [local.secret_arn]
  }
}

resource "aws_iam_role_policy" "secret" {
  name   = "read-mysql-password"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.secret.json
}

resource "aws_ecs_task_definition" "twinrow" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn
  tags                     = var.tags

  container_definitions = jsonencode([
    {
      name        = "twinrow"
      image       = var.image
      essential   = true
      command     = ["sh", "-c", local.start]
      user        = "10001:10001"
      stopTimeout = 60
      environment = [{ name = "TWINROW_TOML", value = var.config }]
      secrets     = [{ name = "MYSQL_PASSWORD", valueFrom = local.secret_arn }]

      portMappings = [{ containerPort = 9642, protocol = "tcp" }]

      healthCheck = {
        command     = ["CMD-SHELL", "python -c \"import urllib.request; urllib.request.urlopen('http://127.0.0.1:9642/healthz', timeout=4)\""]
        interval    = 30
        timeout     = 5
        retries     = 3
        startPeriod = 60
      }

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.twinrow.name
          awslogs-region        = data.aws_region.here.name
          awslogs-stream-prefix = "twinrow"
        }
      }
    }
  ])
}

resource "aws_ecs_service" "twinrow" {
  name            = var.name
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.twinrow.arn
  desired_count   = var.processes
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"
  tags            = var.tags

  # The new task stands by until the old task has let go, so both may run at once.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets         = var.subnet_ids
    security_groups = var.security_group_ids
  }
}

# A table that ended by an error, or a start that was refused.
resource "aws_cloudwatch_log_metric_filter" "errors" {
  name           = "${var.name}-errors"
  log_group_name = aws_cloudwatch_log_group.twinrow.name
  pattern        = "{ $.level = \"error\" }"

  metric_transformation {
    name      = "Errors"
    namespace = "Twinrow/${var.name}"
    value     = "1"
  }
}

# A table that waits, is behind, has dead letters or a gap: `event` is waiting or trouble.
resource "aws_cloudwatch_log_metric_filter" "warnings" {
  name           = "${var.name}-warnings"
  log_group_name = aws_cloudwatch_log_group.twinrow.name
  pattern        = "{ ($.level = \"warning\") && (($.event = \"waiting\") || ($.event = \"trouble\")) }"

  metric_transformation {
    name      = "Warnings"
    namespace = "Twinrow/${var.name}"
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-errors"
  alarm_description   = "A table of Twinrow stopped with an error. See docs/operating/on-call.md; `twinrow status` shows the reason."
  namespace           = "Twinrow/${var.name}"
  metric_name         = "Errors"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "warnings" {
  alarm_name          = "${var.name}-warnings"
  alarm_description   = "Twinrow has waited, or has had trouble with a table, for 15 minutes. `twinrow status` shows which."
  namespace           = "Twinrow/${var.name}"
  metric_name         = "Warnings"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 3
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

# Nothing uses the CPU: no task runs. AWS/ECS tells of a service without Container Insights, too.
resource "aws_cloudwatch_metric_alarm" "gone" {
  alarm_name          = "${var.name}-gone"
  alarm_description   = "No task of Twinrow has run for 5 minutes: nothing is copied. A stream keeps changes for 24 hours."
  namespace           = "AWS/ECS"
  metric_name         = "CPUUtilization"
  statistic           = "SampleCount"
  period              = 60
  evaluation_periods  = 5
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags

  dimensions = {
    ClusterName = element(split("/", var.cluster_arn), length(split("/", var.cluster_arn)) - 1)
    ServiceName = aws_ecs_service.twinrow.name
  }
}
