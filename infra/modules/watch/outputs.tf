output "dashboard" {
  description = "The address of the dashboard."
  value       = "https://${var.fleet.region}.console.aws.amazon.com/cloudwatch/home?region=${var.fleet.region}#dashboards:name=${aws_cloudwatch_dashboard.this.dashboard_name}"
}
