"""Buckets and parameters."""

from typing import Any

from kinds_functions import one
from session import Resource


def bucket(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_s3_bucket."""
    where = {"LocationConstraint": aws.region} if aws.region != "us-east-1" else {}
    aws.call("s3", "create_bucket", Bucket=this["bucket"], CreateBucketConfiguration=where)
    aws.call("s3", "head_bucket", Bucket=this["bucket"])
    aws.expect(where, aws.call("s3", "get_bucket_location", Bucket=this["bucket"]))
    tags = [{"Key": name, "Value": value} for name, value in aws.tags(this).items()]
    aws.call("s3", "put_bucket_tagging", Bucket=this["bucket"], Tagging={"TagSet": tags})
    stored = aws.call("s3", "get_bucket_tagging", Bucket=this["bucket"])["TagSet"]
    aws.expect(aws.tags(this), {tag["Key"]: tag["Value"] for tag in stored})
    return {"id": this["bucket"], "arn": f"arn:aws:s3:::{this['bucket']}", "bucket_domain_name": this["bucket"]}


def public_access(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_s3_bucket_public_access_block."""
    asked = {
        "BlockPublicAcls": this["block_public_acls"],
        "BlockPublicPolicy": this["block_public_policy"],
        "IgnorePublicAcls": this["ignore_public_acls"],
        "RestrictPublicBuckets": this["restrict_public_buckets"],
    }
    aws.call("s3", "put_public_access_block", Bucket=this["bucket"], PublicAccessBlockConfiguration=asked)
    stored = aws.call("s3", "get_public_access_block", Bucket=this["bucket"])
    aws.expect(asked, stored["PublicAccessBlockConfiguration"])
    return {"id": this["bucket"]}


def lifecycle(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_s3_bucket_lifecycle_configuration."""
    rules = [
        {
            "ID": rule["id"],
            "Status": rule["status"],
            "Filter": {"Prefix": one(rule, "filter").get("prefix") or ""},
            "Expiration": {"Days": one(rule, "expiration").get("days")},
            "AbortIncompleteMultipartUpload": {
                "DaysAfterInitiation": one(rule, "abort_incomplete_multipart_upload").get("days_after_initiation")
            },
        }
        for rule in this["rule"]
    ]
    name = {"Bucket": this["bucket"]}
    aws.call("s3", "put_bucket_lifecycle_configuration", **name, LifecycleConfiguration={"Rules": rules})
    aws.expect({"Rules": rules}, aws.call("s3", "get_bucket_lifecycle_configuration", **name))
    return {"id": this["bucket"]}


def parameter(aws: Resource, this: dict[str, Any]) -> dict[str, Any]:
    """aws_ssm_parameter."""
    asked = {"Name": this["name"], "Type": this["type"], "Value": this["value"]}
    aws.call("ssm", "put_parameter", **asked, Description=this["description"])
    stored = aws.call("ssm", "get_parameter", Name=this["name"], WithDecryption=True)["Parameter"]
    aws.expect(asked, stored)
    return {"id": this["name"], "arn": stored["ARN"]}


KINDS = {
    "aws_s3_bucket": bucket,
    "aws_s3_bucket_lifecycle_configuration": lifecycle,
    "aws_s3_bucket_public_access_block": public_access,
    "aws_ssm_parameter": parameter,
}
