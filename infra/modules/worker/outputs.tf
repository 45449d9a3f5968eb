output "name" {
  description = "The worker's name."
  value       = var.name
}

output "function_name" {
  description = "The function's name."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "The function's ARN."
  value       = aws_lambda_function.this.arn
}

output "role_name" {
  description = "The name of the role that it runs as, for policies defined elsewhere."
  value       = aws_iam_role.this.name
}
