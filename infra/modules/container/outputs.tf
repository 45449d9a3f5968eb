output "role" {
  description = "The role of the program, to which its fleet adds rights."
  value       = aws_iam_role.task.id
}

output "service_name" {
  description = "The service's name in its cluster."
  value       = aws_ecs_service.this.name
}

output "log_group" {
  description = "The name of the log group."
  value       = aws_cloudwatch_log_group.this.name
}
