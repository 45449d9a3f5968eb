"""Logs, alarms, dashboards and the budget."""

import json
from typing import Any

from documents import ACCOUNT
from kinds_functions import one
from session import Resource

# A field of an alarm, and the argument.
ALARM = {
    "AlarmName": "alarm_name",
    "AlarmDescription": "alarm_description",
    "Namespace": "namespace",
    "MetricName": "metric_name",
    "Statistic": "statistic",
    "ExtendedStatistic": "extended_statistic",
    "Period": "period",
    "Unit": "unit",
    "EvaluationPeriods": "evaluation_periods",
    "DatapointsToAlarm": "datapoints_to_alarm",
    "Threshold": "threshold",
    "ComparisonOperator": "comparison_operator",
    "TreatMissingData": "treat_missing_data",
    "AlarmActions": "alarm_actions",
    "OKActions": "ok_actions",
    "InsufficientDataActions": "insufficient_data_actions",
}


def log_group(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_cloudwatch_log_group."""
    name = this["name"]
    aws.call("logs", "create_log_group", logGroupName=name, kmsKeyId=this["kms_key_id"], tags=aws.tags(this))
    if this["retention_in_days"]:
        aws.call("logs", "put_retention_policy", logGroupName=name, retentionInDays=this["retention_in_days"])
    groups = aws.call("logs", "describe_log_groups", logGroupNamePrefix=name)["logGroups"]
    stored = next(group for group in groups if group["logGroupName"] == name)
    aws.expect({"logGroupName": name, "retentionInDays": this["retention_in_days"] or None}, stored)
    return {"id": name, "arn": stored["arn"].removesuffix(":*")}


def alarm(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_cloudwatch_metric_alarm."""
    asked = {name: this[argument] for name, argument in ALARM.items()}
    asked["Dimensions"] = dimensions(this)
    asked["Metrics"] = [query(block) for block in this["metric_query"]]
    for name in ("Dimensions", "Metrics"):
        asked[name] = asked[name] or None
    tags = [{"Key": name, "Value": value} for name, value in aws.tags(this).items()]
    actions_enabled = this["actions_enabled"] is not False
    aws.call("cloudwatch", "put_metric_alarm", **asked, ActionsEnabled=actions_enabled, Tags=tags)
    stored = aws.call("cloudwatch", "describe_alarms", AlarmNames=[this["alarm_name"]])["MetricAlarms"]
    aws.expect(asked, stored[0])
    return {"id": this["alarm_name"], "arn": stored[0]["AlarmArn"]}


def query(block: dict[str, Any]) -> dict[str, Any]:
    """Returns one of several metrics of an alarm."""
    made = {
        "Id": block["id"],
        "Expression": block["expression"],
        "Label": block["label"],
        "ReturnData": block["return_data"] or False,
    }
    if metric := one(block, "metric"):
        named = {"Namespace": metric["namespace"], "MetricName": metric["metric_name"]}
        made["MetricStat"] = {
            "Metric": named | {"Dimensions": dimensions(metric)},
            "Period": metric["period"],
            "Stat": metric["stat"],
            "Unit": metric["unit"],
        }
    return made


def dimensions(of: dict[str, Any]) -> list[dict[str, str]]:
    """Returns dimensions as CloudWatch lists them."""
    return [{"Name": name, "Value": value} for name, value in (of["dimensions"] or {}).items()]


def dashboard(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_cloudwatch_dashboard."""
    name, body = this["dashboard_name"], this["dashboard_body"]
    faults = aws.call("cloudwatch", "put_dashboard", DashboardName=name, DashboardBody=body)
    aws.expect({"DashboardValidationMessages": []}, {"DashboardValidationMessages": [], **faults})
    stored = aws.call("cloudwatch", "get_dashboard", DashboardName=name)
    aws.expect(json.loads(body), json.loads(stored["DashboardBody"]))
    return {"id": name, "dashboard_arn": f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}"}


def budget(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_budgets_budget."""
    asked = {
        "BudgetName": this["name"],
        "BudgetType": this["budget_type"],
        "TimeUnit": this["time_unit"],
        "BudgetLimit": {"Amount": this["limit_amount"], "Unit": this["limit_unit"]},
    }
    aws.call("budgets", "create_budget", AccountId=ACCOUNT, Budget=asked)
    name = {"AccountId": ACCOUNT, "BudgetName": this["name"]}
    aws.expect(asked, aws.call("budgets", "describe_budget", **name)["Budget"])
    notifications = [notification(block) for block in this["notification"]]
    for block, made in zip(this["notification"], notifications, strict=True):
        topics = [{"SubscriptionType": "SNS", "Address": arn} for arn in block["subscriber_sns_topic_arns"] or []]
        aws.call("budgets", "create_notification", **name, Notification=made, Subscribers=topics)
    stored = aws.call("budgets", "describe_notifications_for_budget", **name)["Notifications"]
    aws.expect({"all": sorted(notifications, key=str)}, {"all": sorted(map(pick, stored), key=str)})
    return {"id": f"{ACCOUNT}:{this['name']}", "arn": f"arn:aws:budgets::{ACCOUNT}:budget/{this['name']}"}


def notification(block: dict[str, Any]) -> dict[str, Any]:
    """Returns a notification of the budget."""
    return {
        "NotificationType": block["notification_type"],
        "ComparisonOperator": block["comparison_operator"],
        "Threshold": float(block["threshold"]),
        "ThresholdType": block["threshold_type"],
    }


def pick(stored: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of a notification in the order of those that were sent."""
    return {name: stored[name] for name in ("NotificationType", "ComparisonOperator", "Threshold", "ThresholdType")}


KINDS = {
    "aws_budgets_budget": budget,
    "aws_cloudwatch_dashboard": dashboard,
    "aws_cloudwatch_log_group": log_group,
    "aws_cloudwatch_metric_alarm": alarm,
}
