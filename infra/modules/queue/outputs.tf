output "name" {
  description = "The queue's name."
  value       = aws_sqs_queue.this.name
}

output "arn" {
  description = "The queue's ARN."
  value       = aws_sqs_queue.this.arn
}

output "dead_letters_name" {
  description = "The name of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.name
}

output "dead_letters_arn" {
  description = "The ARN of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.arn
}

output "mapping_arn" {
  description = "The ARN of the mapping that feeds the worker."
  value       = one(concat(aws_lambda_event_source_mapping.fixed, aws_lambda_event_source_mapping.steered)[*].arn)
}
