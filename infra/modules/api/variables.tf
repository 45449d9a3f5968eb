variable "fleet" {
  description = "The fleet of the workers, as for the module `worker`."
  type = object({
    name               = string
    stem               = string
    log_retention_days = number
  })
}

variable "name" {
  description = "The API's name within the fleet."
  type        = string
  default     = "api"

  validation {
    condition     = can(regex("^[a-z]+(-[a-z]+)*$", var.name))
    error_message = "An API's name must be in kebab case."
  }
}

variable "functions" {
  description = "The functions of the HTTP workers, by the workers' names: modules `worker`."
  type = map(object({
    function_name = string
    function_arn  = string
  }))
}

variable "routes" {
  description = "The routes, as `stint describe` lists them, each with the name of its worker and, optionally, a limit of its own."
  type = list(object({
    method   = string
    path     = string
    worker   = string
    throttle = optional(object({ per_second = number, burst = number }))
  }))

  validation {
    condition     = length(var.routes) > 0
    error_message = "An API must have a route."
  }

  validation {
    condition     = alltrue([for route in var.routes : contains(["GET", "POST", "PUT", "PATCH", "DELETE"], route.method)])
    error_message = "The method of a route must be GET, POST, PUT, PATCH or DELETE; the workers answer HEAD and OPTIONS themselves."
  }

  validation {
    condition     = alltrue([for route in var.routes : startswith(route.path, "/")])
    error_message = "The path of a route must start with a slash."
  }

  validation {
    condition     = length(distinct([for route in var.routes : "${route.method} ${route.path}"])) == length(var.routes)
    error_message = "Two routes must not have the same method and path."
  }

  validation {
    condition     = alltrue([for route in var.routes : contains(keys(var.functions), route.worker)])
    error_message = "The worker of each route must be in `functions`."
  }
}

variable "throttle" {
  description = "The most requests a second over all callers, on average and at once. A caller above it gets 429."
  type = object({
    per_second = number
    burst      = number
  })
  default = { per_second = 50, burst = 100 }

  validation {
    condition     = var.throttle.per_second > 0 && var.throttle.burst >= var.throttle.per_second && floor(var.throttle.burst) == var.throttle.burst
    error_message = "The burst must be a whole number, at least as large as the requests a second, which must be more than 0."
  }
}

variable "cors" {
  description = "Websites that may read the responses in a browser. Without it, the workers' own policies apply."
  type = object({
    origins         = list(string)
    methods         = optional(list(string), ["GET"])
    headers         = optional(list(string), [])
    max_age_seconds = optional(number, 3600)
  })
  default = null

  validation {
    condition     = var.cors == null || try(alltrue([for origin in var.cors.origins : origin == "*" || can(regex("^https?://[^/]+$", origin))]), false)
    error_message = "An origin must be \"*\", or a scheme and a host without a path, such as \"https://example.org\"."
  }
}

variable "domain" {
  description = "A domain for the API, with its certificate in ACM, in the same region."
  type = object({
    name            = string
    certificate_arn = string
  })
  default = null

  validation {
    condition     = var.domain == null || try(startswith(var.domain.certificate_arn, "arn:") && strcontains(var.domain.certificate_arn, ":acm:"), false)
    error_message = "The certificate must be given by its ARN in ACM."
  }
}
