# What a worker needs of the queue that feeds it: Lambda's pollers receive and delete in its name, and the worker gives
# back with a delay what may succeed later, and sends to the dead letters what never will.

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
