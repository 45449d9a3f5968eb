"""What the provider's data sources return. A policy document is composed here, as the provider composes it."""

import json
from typing import Any, Callable

ACCOUNT = "123456789012"
PARTITION = "aws"


def policy_document(_: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Returns a policy as JSON."""
    document = {
        "Version": config["version"] or "2012-10-17",
        **({"Id": config["policy_id"]} if config["policy_id"] else {}),
        "Statement": [statement(block) for block in config["statement"]],
    }
    text = json.dumps(document)
    return {"json": text, "minified_json": text, "id": str(abs(hash(text)))}


def statement(block: dict[str, Any]) -> dict[str, Any]:
    """Returns one statement."""
    made: dict[str, Any] = {"Effect": block["effect"] or "Allow"}
    if block["sid"]:
        made["Sid"] = block["sid"]
    for name, argument in [
        ("Action", "actions"),
        ("NotAction", "not_actions"),
        ("Resource", "resources"),
        ("NotResource", "not_resources"),
    ]:
        if block[argument]:
            made[name] = one_or_more(block[argument])
    for name, argument in [("Principal", "principals"), ("NotPrincipal", "not_principals")]:
        if block[argument]:
            made[name] = {one["type"]: one_or_more(one["identifiers"]) for one in block[argument]}
    for condition in block["condition"]:
        tests = made.setdefault("Condition", {}).setdefault(condition["test"], {})
        tests[condition["variable"]] = one_or_more(condition["values"])
    return made


def one_or_more(values: list[str]) -> str | list[str]:
    """Returns a list in the shortest form that IAM accepts."""
    return values[0] if len(values) == 1 else sorted(values)


def caller_identity(*_: Any) -> dict[str, Any]:
    """Returns the emulator's account."""
    return {"account_id": ACCOUNT, "arn": f"arn:{PARTITION}:iam::{ACCOUNT}:user/you", "id": ACCOUNT, "user_id": "you"}


def partition(*_: Any) -> dict[str, Any]:
    """Returns the partition of all public regions."""
    return {
        "partition": PARTITION,
        "dns_suffix": "amazonaws.com",
        "reverse_dns_prefix": "com.amazonaws",
        "id": PARTITION,
    }


def region(provider: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Returns the region of the provider."""
    name = config.get("region") or provider["region"]
    return {"name": name, "region": name, "id": name}


DATA_SOURCES: dict[str, Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]] = {
    "aws_caller_identity": caller_identity,
    "aws_iam_policy_document": policy_document,
    "aws_partition": partition,
    "aws_region": region,
}
