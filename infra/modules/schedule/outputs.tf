output "name" {
  description = "The schedule's name in its group."
  value       = aws_scheduler_schedule.this.name
}
