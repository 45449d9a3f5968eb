# One page: are the points spent, does the queue get shorter, does anything fail?

locals {
  # The workers' own metrics, which they write into their logs in CloudWatch's embedded format. One line a key, whatever
  # other dimensions they have. What is held goes up and down; the others are counted.
  point_metrics = {
    spent   = { metric = "PointsSpent", statistic = "Sum" }
    expired = { metric = "PointsExpired", statistic = "Sum" }
    held    = { metric = "PointsHeld", statistic = "Maximum" }
  }

  charts = [
    {
      title = "Points by key"
      lines = [for name, points in local.point_metrics : [{
        expression = "SEARCH('Namespace=\"Stint\" MetricName=\"${points.metric}\"', '${points.statistic}', 300)"
        label      = "${name} $${PROP('Dim.Key')}"
      }]]
    },
    {
      title = "Messages in the queues"
      lines = concat(
        [
          for name, entry in local.queues :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", entry.queue.name, { label = "${name}, waiting" }]
        ],
        [
          for name, entry in local.queues :
          ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", entry.queue.name, { label = "${name}, at work" }]
        ],
        [
          for name, entry in local.queues :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", entry.queue.dead_letters_name, { label = "${name}, dead" }]
        ],
      )
    },
    {
      title = "Age of the oldest message, in seconds"
      lines = [
        for name, entry in local.queues :
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", entry.queue.name, { label = name }]
      ]
    },
    {
      title = "Invocations at once"
      lines = [
        for name, worker in local.workers :
        ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", worker.function, { label = name }]
      ]
    },
    {
      title = "Failures"
      lines = [
        for name, worker in local.workers :
        ["AWS/Lambda", "Errors", "FunctionName", worker.function, { label = name, stat = "Sum" }]
      ]
    },
    {
      title = "Longest invocation, in milliseconds"
      lines = [
        for name, worker in local.workers :
        ["AWS/Lambda", "Duration", "FunctionName", worker.function, { label = name }]
      ]
    },
  ]
}

# A page is 24 columns wide: two charts in a row.
resource "aws_cloudwatch_dashboard" "fleet" {
  dashboard_name = local.prefix

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
        region  = var.region
        stat    = "Maximum"
        period  = 300
        view    = "timeSeries"
      }
    }]
  })
}
