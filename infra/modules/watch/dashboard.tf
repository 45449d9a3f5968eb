# One dashboard per fleet: what it does, whether the queue shrinks, and what fails.

locals {
  # The workers write their metrics to their logs in CloudWatch's embedded format.
  own_charts = [for chart in var.charts : {
    title = chart.title
    lines = [for name, line in chart.lines : [{
      expression = "SEARCH('Namespace=\"${var.fleet.metrics_namespace}\" MetricName=\"${line.metric}\"', '${line.statistic}', 300)"
      label      = "${name} $${PROP('Dim.${chart.dimension}')}"
    }]]
  }]

  charts = concat(local.own_charts, [
    {
      title = "Messages in the queues"
      lines = concat(
        [
          for name, entry in var.queues :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", entry.name, { label = "${name}, waiting" }]
        ],
        [
          for name, entry in var.queues :
          ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", entry.name, { label = "${name}, at work" }]
        ],
        [
          for name, entry in var.queues :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", entry.dead_letters_name, { label = "${name}, dead" }]
        ],
      )
    },
    {
      title = "Age of the oldest message, in seconds"
      lines = [
        for name, entry in var.queues :
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", entry.name, { label = name }]
      ]
    },
    {
      title = "Invocations at once"
      lines = [
        for name, worker in var.workers :
        ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", worker.function, { label = name }]
      ]
    },
    {
      title = "Failures"
      lines = [
        for name, worker in var.workers :
        ["AWS/Lambda", "Errors", "FunctionName", worker.function, { label = name, stat = "Sum" }]
      ]
    },
    {
      title = "Longest invocation, in milliseconds"
      lines = [
        for name, worker in var.workers :
        ["AWS/Lambda", "Duration", "FunctionName", worker.function, { label = name }]
      ]
    },
  ])
}

# A dashboard is 24 columns wide: two charts in a row.
resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.fleet.stem}-${var.fleet.region}" # unique in the account, whatever the region

  dashboard_body = jsonencode({
    widgets = [for index, chart in local.charts : {
      type   = "metric"
      x      = 12 * (index % 2)
      y      = 6 * floor(index / 2)
      width  = 12
      height = 6
      properties = {
        title   = chart.title
        metrics = chart.lines
        region  = var.fleet.region
        stat    = "Maximum"
        period  = 300
        view    = "timeSeries"
      }
    }]
  })
}
