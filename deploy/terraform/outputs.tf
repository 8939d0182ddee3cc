output "service_name" {
  description = "Name of the ECS service."
  value       = aws_ecs_service.twinrow.name
}

output "task_role_arn" {
  description = "The role of the process."
  value       = aws_iam_role.task.arn
}

output "mysql_password_secret_arn" {
  description = "The secret that holds the MySQL password."
  value       = local.secret_arn
}

output "log_group_name" {
  description = "The log, a line of JSON an event."
  value       = aws_cloudwatch_log_group.twinrow.name
}
