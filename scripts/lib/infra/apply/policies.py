"""IAM's policy documents: what is wrong with one, and whether some of them permit an action on a resource."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Iterator

import botocore.session
import regex

# Actions that are not named after an operation.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
OTHER_ACTIONS = {
    "iam:PassRole",
    "kms:Decrypt",
    "lambda:InvokeFunction",
    "lambda:InvokeFunctionUrl",
    "s3:ListBucket",
    "sts:AssumeRole",
}
# The services whose prefix in IAM is not the client's name.
CLIENTS = {"execute-api": None, "apigateway": None, "ecr": "ecr", "elasticfilesystem": "efs"}
ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"}
ARN = regex.compile(r"arn:[\w*-]+:[\w*-]+:[\w*-]*:[\d*]*:.+")
SID = regex.compile(r"[A-Za-z0-9]*")


@dataclass(frozen=True)
class Request:
    """What a role wants to do. `context` has the condition keys of the request."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


def check_document(text: str, of_a_resource: bool) -> None:
    """Fails if IAM would refuse a document, or if it names an action that does not exist."""
    if found := list(faults(json.loads(text), of_a_resource)):
        raise ValueError("; ".join(found))


def faults(document: dict[str, Any], of_a_resource: bool) -> Iterator[str]:
    """Yields what is wrong with a document. One of a resource, or of a role's trust, names principals."""
    if document.get("Version") != "2012-10-17":
        yield f"the version is {document.get('Version')}"
    statements = listed(document.get("Statement"))
    sids = [statement["Sid"] for statement in statements if "Sid" in statement]
    if len(set(sids)) < len(sids):
        yield "two statements have the same Sid"
    if not statements:
        yield "there is no statement"
    for statement in statements:
        yield from (
            f"{statement.get('Sid', 'a statement')}: {fault}" for fault in of_statement(statement, of_a_resource)
        )


def of_statement(statement: dict[str, Any], of_a_resource: bool) -> Iterator[str]:
    """Yields what is wrong with a statement."""
    if unknown := statement.keys() - ELEMENTS:
        yield f"{', '.join(sorted(unknown))} is no element"
    if not SID.fullmatch(statement.get("Sid", "")):
        yield "a Sid has letters and digits only"
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield f"the effect is {statement.get('Effect')}"
    if not listed(statement.get("Action") or statement.get("NotAction")):
        yield "it has no action"
    if ("Principal" in statement or "NotPrincipal" in statement) != of_a_resource:
        yield "it has no principal" if of_a_resource else "a role's policy cannot have a principal"
    if not of_a_resource and not listed(statement.get("Resource") or statement.get("NotResource")):
        yield "it has no resource"
    for resource in listed(statement.get("Resource")):
        if resource != "*" and not ARN.fullmatch(resource):
            yield f"{resource} is no ARN"
    for action in listed(statement.get("Action")):
        if not exists(action):
            yield f"there is no action {action}"


@cache
def exists(action: str) -> bool:
    """Returns whether there is such an action. One with a wildcard must match an operation."""
    service, _, name = action.partition(":")
    if action == "*" or action in OTHER_ACTIONS:
        return True
    client = CLIENTS.get(service, service)
    if client is None:
        return True
    try:
        model = botocore.session.get_session().get_service_model(client)
    except botocore.exceptions.UnknownServiceError:
        return False
    return any(matches(name, operation) for operation in model.operation_names)


def permits(documents: list[dict[str, Any]], request: Request) -> bool:
    """Returns whether documents permit a request: one statement allows it, and none denies it."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in listed(document["Statement"])
        if applies(statement, request)
    }
    return effects == {"Allow"}


def applies(statement: dict[str, Any], request: Request) -> bool:
    """Returns whether a statement is about a request."""
    action, resource = request.action.lower(), request.resource
    if "NotAction" in statement:
        about = not any(matches(pattern.lower(), action) for pattern in listed(statement["NotAction"]))
    else:
        about = any(matches(pattern.lower(), action) for pattern in listed(statement["Action"]))
    if "NotResource" in statement:
        of = not any(matches(pattern, resource) for pattern in listed(statement["NotResource"]))
    else:
        of = any(matches(pattern, resource) for pattern in listed(statement["Resource"]))
    return about and of and holds(statement.get("Condition", {}), dict(request.context))


def holds(conditions: dict[str, dict[str, Any]], context: dict[str, str]) -> bool:
    """Returns whether all conditions hold. An operator that is not known here is an error, not a guess."""
    for operator, keys in conditions.items():
        if operator not in ("StringEquals", "ArnEquals", "StringLike", "ArnLike"):
            raise ValueError(f"the condition operator {operator} is not evaluated here")
        for key, values in keys.items():
            value = context.get(key)
            exact = operator == "StringEquals"
            if value is None or not any(value == one if exact else matches(one, value) for one in listed(values)):
                return False
    return True


def matches(pattern: str, text: str) -> bool:
    """Returns whether a text matches a pattern with * and ?."""
    return compiled(pattern).fullmatch(text) is not None


@cache
def compiled(pattern: str) -> regex.Pattern:
    """Returns IAM's wildcards as an expression."""
    return regex.compile(regex.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), regex.DOTALL)


def listed(value: Any) -> list[Any]:
    """Returns one or more values as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
