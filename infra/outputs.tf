output "functions" {
  description = "The functions by worker, for `aws lambda` and for logs."
  value       = { for name, worker in local.workers : name => worker.function }
}

output "queues" {
  description = "The queues and their dead letters."
  value = {
    for entry in local.queues : entry.queue.name => entry.queue.dead_letters_name
  }
}

output "secrets" {
  description = "The parameters in SSM that must be there before anything works."
  value       = [for secret in concat(["MONGODB_URI", "WCL_KEYS", "GIT_TOKEN"], var.poe_stashes == null ? [] : ["POE_CLIENT_SECRET"]) : "${var.secret_path}/${secret}"]
}

output "dashboard" {
  description = "Where to look."
  value       = "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}#dashboards:name=${aws_cloudwatch_dashboard.fleet.dashboard_name}"
}

output "settings" {
  description = "The settings with which an operator's commands reach this installation, as lines of a shell. MONGODB_URI is missing: it is a secret."
  value = join("\n", concat(["export AWS_REGION=${var.region}"], [
    for name, value in local.installation.environment : "export ${name}='${value}'"
    if startswith(name, "STINT_AWS_") || name == "STINT_PROFILE"
    ], [
    for name, value in local.poe_installation.environment : "export ${name}='${value}'"
    if var.poe_stashes != null && contains(["POE_BLOBS", "POE_REALM"], name)
  ]))
}
