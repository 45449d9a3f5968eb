variable "fleet" {
  description = "The fleet that is watched. Names begin with `stem`; its own metrics are in `metrics_namespace`."
  type = object({
    stem              = string
    region            = string
    metrics_namespace = string
    alarms_topic_arn  = string
  })
}

variable "upstreams" {
  description = "The upstreams that the fleet calls, as their breakers are called."
  type        = set(string)
}

variable "queues" {
  description = "The queues by their short names, and after how many hours a message has waited for too long."
  type = map(object({
    name              = string
    dead_letters_name = string
    oldest_hours      = number
  }))
}

variable "workers" {
  description = "The functions by their workers, how many failures in a quarter of an hour are too many, and whether a queue feeds them."
  type = map(object({
    function     = string
    failures     = number
    fed_by_queue = bool
  }))
}

variable "charts" {
  description = "Charts of the workers' own metrics: each metric has a line for each value of the dimension, whatever other dimensions it has."
  type = list(object({
    title     = string
    dimension = string
    lines = map(object({
      metric    = string
      statistic = string
    }))
  }))
}
