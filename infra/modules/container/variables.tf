variable "fleet" {
  description = "What all workers of the fleet share, as for the module `worker`."
  type = object({
    name               = string
    stem               = string
    secret_path        = string
    region             = string
    account            = string
    partition          = string
    secrets_key_arn    = optional(string)
    log_retention_days = number
    environment        = map(string)
  })
}

variable "name" {
  description = "The task's name, such as that of its listener."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+(-[a-z]+)*$", var.name))
    error_message = "A task's name must be in kebab case."
  }
}

variable "image" {
  description = "The image, by its digest or tag."
  type        = string
}

variable "repository_arn" {
  description = "The repository of the image in ECR."
  type        = string
}

variable "command" {
  description = "The arguments of the program, such as [\"up\", \"FLEET\"]."
  type        = list(string)
}

variable "cluster_arn" {
  description = "The cluster that runs the task."
  type        = string
}

variable "cpu" {
  description = "Processor units; 1024 are one processor."
  type        = number
  default     = 256

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu)
    error_message = "Processor units must be 256, 512, 1024, 2048 or 4096, which are Fargate's sizes."
  }
}

variable "memory_mb" {
  description = "Memory in MB, of the sizes that Fargate has for the processor units."
  type        = number
  default     = 512
}

variable "desired_count" {
  description = "How many tasks run. With two, a listener that needs a leader goes on within seconds of a failure."
  type        = number
  default     = 1

  validation {
    condition     = var.desired_count >= 0 && floor(var.desired_count) == var.desired_count
    error_message = "The number of tasks must be whole."
  }
}

variable "secrets" {
  description = "The names of the secret settings that the task gets."
  type        = list(string)
}

variable "network" {
  description = "Where tasks run. They accept no connection, and must reach the upstream, the image and the log."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    public_address     = optional(bool, false)
  })
}
