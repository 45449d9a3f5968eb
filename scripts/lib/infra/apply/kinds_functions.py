"""Functions, and what starts them."""

from pathlib import Path
from typing import Any

from session import Refused, Resource

# Lambda's quota for all variables of a function.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ENVIRONMENT_BYTES = 4096


def one(this: dict[str, Any], block: str) -> dict[str, Any]:
    """Returns the first block of a name, or nothing."""
    return next(iter(this.get(block) or []), {})


def function(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_lambda_function."""
    variables = one(this, "environment").get("variables") or {}
    if (size := sum(len(name) + len(value) for name, value in variables.items())) > ENVIRONMENT_BYTES:
        raise Refused(
            f"the variables of {this['function_name']} have {size} bytes, and Lambda takes {ENVIRONMENT_BYTES}"
        )
    network, logging = one(this, "vpc_config"), one(this, "logging_config")
    asked = {
        "FunctionName": this["function_name"],
        "Description": this["description"],
        "Role": this["role"],
        "PackageType": this["package_type"],
        "Runtime": this["runtime"],
        "Architectures": this["architectures"],
        "Handler": this["handler"],
        "Timeout": this["timeout"],
        "MemorySize": this["memory_size"],
        "Environment": {"Variables": variables},
        "EphemeralStorage": {"Size": one(this, "ephemeral_storage").get("size")},
        "LoggingConfig": {"LogFormat": logging.get("log_format"), "LogGroup": logging.get("log_group")},
        "VpcConfig": {"SubnetIds": network.get("subnet_ids"), "SecurityGroupIds": network.get("security_group_ids")},
        "TracingConfig": {"Mode": one(this, "tracing_config").get("mode")},
    }
    code = {"ZipFile": Path(this["filename"]).read_bytes()}
    made = aws.call("lambda", "create_function", **asked, Code=code, Tags=aws.tags(this))
    stored = aws.call("lambda", "get_function", FunctionName=this["function_name"])
    aws.expect(asked, stored["Configuration"], but=("LoggingConfig",))
    if made["CodeSha256"] != this["source_code_hash"]:
        raise Refused(f"the package of {this['function_name']} has another sum")
    aws.expect(aws.tags(this), stored["Tags"])
    reserve(aws, this)
    arn = made["FunctionArn"]
    calls = f"arn:aws:apigateway:{aws.region}:lambda:path/2015-03-31/functions/{arn}/invocations"
    return {"id": this["function_name"], "arn": arn, "invoke_arn": calls, "version": made["Version"]}


def reserve(aws: Resource, this: dict[str, Any]) -> None:
    """Reserves a function's concurrency, if any is given."""
    reserved = this["reserved_concurrent_executions"]
    if reserved is not None and reserved >= 0:
        asked = {"ReservedConcurrentExecutions": reserved}
        aws.call("lambda", "put_function_concurrency", FunctionName=this["function_name"], **asked)
        aws.expect(asked, aws.call("lambda", "get_function_concurrency", FunctionName=this["function_name"]))


def recursion(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_lambda_function_recursion_config."""
    asked = {"RecursiveLoop": this["recursive_loop"]}
    name = this["function_name"]
    if aws.call_unless_missing("lambda", "put_function_recursion_config", FunctionName=name, **asked):
        aws.expect(asked, aws.call("lambda", "get_function_recursion_config", FunctionName=name))
    return {}


def invocations(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_lambda_function_event_invoke_config."""
    asked = {
        "MaximumRetryAttempts": this["maximum_retry_attempts"],
        "MaximumEventAgeInSeconds": this["maximum_event_age_in_seconds"],
    }
    name = this["function_name"]
    aws.call("lambda", "put_function_event_invoke_config", FunctionName=name, **asked)
    aws.expect(asked, aws.call("lambda", "get_function_event_invoke_config", FunctionName=name))
    return {"id": name}


def mapping(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_lambda_event_source_mapping. It is disabled, because moto would receive the messages of an enabled one."""
    asked = {
        "EventSourceArn": this["event_source_arn"],
        "FunctionName": this["function_name"],
        "BatchSize": this["batch_size"],
        "FunctionResponseTypes": this["function_response_types"],
        "ScalingConfig": {"MaximumConcurrency": one(this, "scaling_config").get("maximum_concurrency")},
    }
    made = aws.call("lambda", "create_event_source_mapping", **asked, Enabled=False)
    stored = aws.call("lambda", "get_event_source_mapping", UUID=made["UUID"])
    aws.expect(asked | {"FunctionName": None, "FunctionArn": this["function_name"]}, stored)
    # The provider knows the ARN in the same form.
    arn = f"arn:aws:lambda:{aws.region}:{made['FunctionArn'].split(':')[4]}:event-source-mapping:{made['UUID']}"
    return {"id": made["UUID"], "uuid": made["UUID"], "arn": arn, "function_arn": made["FunctionArn"]}


def permission(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_lambda_permission."""
    statement = this["statement_id"] or "terraform"
    asked = {
        "FunctionName": this["function_name"],
        "StatementId": statement,
        "Action": this["action"],
        "Principal": this["principal"],
        "SourceArn": this["source_arn"],
        "SourceAccount": this["source_account"],
        "FunctionUrlAuthType": this["function_url_auth_type"],
    }
    aws.call("lambda", "add_permission", **asked)
    stored = aws.call("lambda", "get_policy", FunctionName=this["function_name"])["Policy"]
    aws.expect({"stored": True}, {"stored": f'"{statement}"' in stored})
    return {"id": statement}


def schedule_group(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_scheduler_schedule_group."""
    tags = [{"Key": name, "Value": value} for name, value in aws.tags(this).items()]
    arn = aws.call("scheduler", "create_schedule_group", Name=this["name"], Tags=tags)["ScheduleGroupArn"]
    aws.expect({"Name": this["name"], "Arn": arn}, aws.call("scheduler", "get_schedule_group", Name=this["name"]))
    stored = aws.call("scheduler", "list_tags_for_resource", ResourceArn=arn)["Tags"]
    aws.expect(aws.tags(this), {tag["Key"]: tag["Value"] for tag in stored})
    return {"id": this["name"], "arn": arn}


def schedule(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_scheduler_schedule."""
    target = one(this, "target")
    retries = one(target, "retry_policy")
    window = one(this, "flexible_time_window")
    asked = {
        "Name": this["name"],
        "GroupName": this["group_name"],
        "Description": this["description"],
        "ScheduleExpression": this["schedule_expression"],
        "ScheduleExpressionTimezone": this["schedule_expression_timezone"] or "UTC",
        "State": this["state"] or "ENABLED",
        "FlexibleTimeWindow": {
            "Mode": window["mode"],
            "MaximumWindowInMinutes": window["maximum_window_in_minutes"],
        },
        "Target": {
            "Arn": target["arn"],
            "RoleArn": target["role_arn"],
            "Input": target["input"],
            "RetryPolicy": {
                "MaximumEventAgeInSeconds": retries.get("maximum_event_age_in_seconds"),
                "MaximumRetryAttempts": retries.get("maximum_retry_attempts"),
            },
        },
    }
    arn = aws.call("scheduler", "create_schedule", **asked)["ScheduleArn"]
    aws.expect(asked, aws.call("scheduler", "get_schedule", GroupName=this["group_name"], Name=this["name"]))
    return {"id": f"{this['group_name']}/{this['name']}", "arn": arn}


KINDS = {
    "aws_lambda_event_source_mapping": mapping,
    "aws_lambda_function": function,
    "aws_lambda_function_event_invoke_config": invocations,
    "aws_lambda_function_recursion_config": recursion,
    "aws_lambda_permission": permission,
    "aws_scheduler_schedule": schedule,
    "aws_scheduler_schedule_group": schedule_group,
}
