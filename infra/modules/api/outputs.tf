output "address" {
  description = "The address of the API."
  value       = var.domain == null ? aws_apigatewayv2_api.this.api_endpoint : "https://${var.domain.name}"
}

output "api_id" {
  description = "The API's id, for dashboards and alarms."
  value       = aws_apigatewayv2_api.this.id
}

output "domain" {
  description = "What the DNS record of the domain needs, `target_domain_name` and `hosted_zone_id`; nothing without a domain."
  value       = var.domain == null ? null : aws_apigatewayv2_domain_name.this[var.domain.name].domain_name_configuration[0]
}

output "log_group" {
  description = "The name of the group of access logs."
  value       = aws_cloudwatch_log_group.this.name
}
