variable "fleet" {
  description = "The monitored fleet. Names start with `stem`; its own metrics are in `metrics_namespace`."
  type = object({
    stem              = string
    region            = string
    metrics_namespace = string
    alarms_topic_arn  = string
  })
}

variable "upstreams" {
  description = "The upstreams that the fleet calls, by the names of their breakers."
  type        = set(string)
}

variable "queues" {
  description = "The queues by their short names, after how many hours of waiting a message raises an alarm, and the worker in `workers` that the queue feeds, if it feeds one."
  type = map(object({
    name              = string
    dead_letters_name = string
    oldest_hours      = number
    feeds             = optional(string)
  }))
}

variable "workers" {
  description = "The functions by their workers, how many failures in 15 minutes raise an alarm, and whether a queue feeds them."
  type = map(object({
    function     = string
    failures     = number
    fed_by_queue = bool
  }))
}

variable "charts" {
  description = "Charts of the workers' own metrics. Each metric has a line for each value of the dimension, whatever its other dimensions are."
  type = list(object({
    title     = string
    dimension = string
    lines = map(object({
      metric    = string
      statistic = string
    }))
  }))
}
