"""Queues and topics."""

from typing import Any

from policies import check_document
from session import Resource

# An argument of a queue, and the attribute in SQS.
QUEUE = {
    "visibility_timeout_seconds": "VisibilityTimeout",
    "message_retention_seconds": "MessageRetentionPeriod",
    "delay_seconds": "DelaySeconds",
    "receive_wait_time_seconds": "ReceiveMessageWaitTimeSeconds",
    "max_message_size": "MaximumMessageSize",
    "sqs_managed_sse_enabled": "SqsManagedSseEnabled",
    "kms_master_key_id": "KmsMasterKeyId",
    "redrive_policy": "RedrivePolicy",
    "policy": "Policy",
}
# The range of each attribute, which AWS's model does not have.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
RANGES = {
    "visibility_timeout_seconds": (0, 43200),
    "message_retention_seconds": (60, 1209600),
    "delay_seconds": (0, 900),
    "receive_wait_time_seconds": (0, 20),
}


def queue(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_sqs_queue."""
    for name, (least, most) in RANGES.items():
        if this[name] is not None and not least <= this[name] <= most:
            raise ValueError(f"{name} is not from {least} to {most}: {this[name]}")
    attributes = {name: text(this[argument]) for argument, name in QUEUE.items() if this[argument] is not None}
    url = aws.call("sqs", "create_queue", QueueName=this["name"], Attributes=attributes, tags=aws.tags(this))[
        "QueueUrl"
    ]
    stored = aws.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
    aws.expect(attributes, stored)
    aws.expect(aws.tags(this), aws.call("sqs", "list_queue_tags", QueueUrl=url)["Tags"])
    return {"id": url, "url": url, "arn": stored["QueueArn"]}


def redrive_allow_policy(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_sqs_queue_redrive_allow_policy."""
    return queue_attribute(aws, this, "RedriveAllowPolicy", this["redrive_allow_policy"], but=("RedriveAllowPolicy",))


def redrive_policy(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_sqs_queue_redrive_policy."""
    return queue_attribute(aws, this, "RedrivePolicy", this["redrive_policy"])


def queue_policy(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_sqs_queue_policy."""
    check_document(this["policy"], of_a_resource=True)
    return queue_attribute(aws, this, "Policy", this["policy"])


def queue_attribute(
    aws: Resource, this: dict[str, Any], name: str, value: str, but: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Sets one attribute of a queue that exists."""
    aws.call("sqs", "set_queue_attributes", QueueUrl=this["queue_url"], Attributes={name: value})
    stored = aws.call("sqs", "get_queue_attributes", QueueUrl=this["queue_url"], AttributeNames=["All"])["Attributes"]
    aws.expect({name: value}, stored, but)
    return {"id": this["queue_url"]}


def topic(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_sns_topic."""
    attributes = {"DisplayName": this["display_name"], "KmsMasterKeyId": this["kms_master_key_id"]}
    tags = [{"Key": name, "Value": value} for name, value in aws.tags(this).items()]
    arn = aws.call("sns", "create_topic", Name=this["name"], Attributes=attributes, Tags=tags)["TopicArn"]
    aws.expect(attributes, aws.call("sns", "get_topic_attributes", TopicArn=arn)["Attributes"])
    stored = aws.call("sns", "list_tags_for_resource", ResourceArn=arn)["Tags"]
    aws.expect(aws.tags(this), {tag["Key"]: tag["Value"] for tag in stored})
    return {"id": arn, "arn": arn}


def subscription(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_sns_topic_subscription."""
    asked = {"TopicArn": this["topic_arn"], "Protocol": this["protocol"], "Endpoint": this["endpoint"]}
    arn = aws.call("sns", "subscribe", **asked, ReturnSubscriptionArn=True)["SubscriptionArn"]
    aws.expect(asked, aws.call("sns", "get_subscription_attributes", SubscriptionArn=arn)["Attributes"])
    return {"id": arn, "arn": arn}


def topic_policy(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_sns_topic_policy."""
    check_document(this["policy"], of_a_resource=True)
    policy = {"Policy": this["policy"]}
    aws.call("sns", "set_topic_attributes", TopicArn=this["arn"], AttributeName="Policy", AttributeValue=this["policy"])
    aws.expect(policy, aws.call("sns", "get_topic_attributes", TopicArn=this["arn"])["Attributes"])
    return {"id": this["arn"]}


def text(value: Any) -> str:
    """Returns a value as an attribute, which is always a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


KINDS = {
    "aws_sns_topic": topic,
    "aws_sns_topic_policy": topic_policy,
    "aws_sns_topic_subscription": subscription,
    "aws_sqs_queue": queue,
    "aws_sqs_queue_policy": queue_policy,
    "aws_sqs_queue_redrive_allow_policy": redrive_allow_policy,
    "aws_sqs_queue_redrive_policy": redrive_policy,
}
