# A worker's rights to the queue that feeds it. Lambda's pollers receive and delete messages on its behalf. The worker
# itself returns messages that may succeed later with a delay, and sends messages that never will to the dead-letter
# queue.

data "aws_iam_policy_document" "receive" {
  statement {
    sid = "Receive"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl",
      "sqs:ReceiveMessage",
    ]
    resources = [aws_sqs_queue.this.arn]
  }

  statement {
    sid       = "MoveToTheDeadLetters"
    actions   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }
}

resource "aws_iam_role_policy" "receive" {
  name   = "receive-${var.name}"
  role   = var.worker.role_name
  policy = data.aws_iam_policy_document.receive.json
}
