output "functions" {
  description = "The functions by worker, for `aws lambda` and for logs."
  value       = { for name, worker in local.workers : name => worker.function }
}

output "queues" {
  description = "The queues and their dead letters."
  value       = { for entry in local.queues : entry.name => entry.dead_letters_name }
}

output "secrets" {
  description = "The SSM parameters that must exist before the fleet can work."
  value       = [for secret in distinct(concat(["POE_CLIENT_SECRET"], flatten(values(var.secrets)))) : "${local.fleet.secret_path}/${secret}"]
}

output "dashboard" {
  description = "The address of the dashboard."
  value       = module.watch.dashboard
}

output "settings" {
  description = "The settings with which an operator's commands reach the fleet, as lines for a shell."
  value = join("\n", concat(["export AWS_REGION=${var.installation.region}"], [
    for name, value in local.fleet.environment : "export ${name}='${value}'"
    if startswith(name, "STINT_AWS_") || contains(["POE_BLOBS", "POE_REALM", "STINT_PROFILE"], name)
  ]))
}
