"""Roles and their policies."""

import json
from typing import Any

from policies import check_document
from session import Refused, Resource

# IAM's quota for all policies within a role, in characters without white space.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
INLINE_CHARACTERS = 10240


def role(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_iam_role."""
    check_document(this["assume_role_policy"], of_a_resource=True)
    tags = [{"Key": name, "Value": value} for name, value in aws.tags(this).items()]
    asked = {
        "RoleName": this["name"],
        "Path": this["path"] or "/",
        "Description": this["description"],
        "AssumeRolePolicyDocument": this["assume_role_policy"],
    }
    made = aws.call("iam", "create_role", **asked, Tags=tags)["Role"]
    stored = aws.call("iam", "get_role", RoleName=this["name"])["Role"]
    aws.expect(asked, stored)
    aws.expect(aws.tags(this), {tag["Key"]: tag["Value"] for tag in stored["Tags"]})
    return {"id": this["name"], "arn": made["Arn"], "unique_id": made["RoleId"]}


def role_policy(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_iam_role_policy."""
    check_document(this["policy"], of_a_resource=False)
    name = {"RoleName": this["role"], "PolicyName": this["name"]}
    aws.call("iam", "put_role_policy", **name, PolicyDocument=this["policy"])
    aws.expect({"PolicyDocument": this["policy"]}, aws.call("iam", "get_role_policy", **name))
    if (size := inline_size(aws, this["role"])) > INLINE_CHARACTERS:
        raise Refused(
            f"the policies in the role {this['role']} have {size} characters, and IAM takes {INLINE_CHARACTERS}"
        )
    return {"id": f"{this['role']}:{this['name']}"}


def inline_size(aws: Resource, role_name: str) -> int:
    """Returns the length of all policies within a role."""
    names = aws.call("iam", "list_role_policies", RoleName=role_name)["PolicyNames"]
    documents = [aws.call("iam", "get_role_policy", RoleName=role_name, PolicyName=name) for name in names]
    return sum(len(json.dumps(document["PolicyDocument"], separators=(",", ":"))) for document in documents)


def attachment(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_iam_role_policy_attachment."""
    aws.call("iam", "attach_role_policy", RoleName=this["role"], PolicyArn=this["policy_arn"])
    stored = aws.call("iam", "list_attached_role_policies", RoleName=this["role"])["AttachedPolicies"]
    aws.expect({this["policy_arn"]: True}, {policy["PolicyArn"]: True for policy in stored})
    return {"id": f"{this['role']}-{this['policy_arn']}"}


KINDS = {
    "aws_iam_role": role,
    "aws_iam_role_policy": role_policy,
    "aws_iam_role_policy_attachment": attachment,
}
