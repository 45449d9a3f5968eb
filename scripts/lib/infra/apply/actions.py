"""Which actions a request to AWS needs, and on which resources. A request that is not known here is an error."""

import json
import re
from dataclasses import dataclass, field
from typing import Callable
from urllib.parse import parse_qs, unquote, urlsplit

from documents import ACCOUNT
from policies import Request

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")


@dataclass
class Call:
    """One HTTP request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    path: str = field(init=False)
    query: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        self.path, self.query = unquote(parts.path), parse_qs(parts.query, keep_blank_values=True)

    def signer(self) -> tuple[str, str, str]:
        """Returns the access key, the region and the service of the signature."""
        found = CREDENTIAL.search(self.headers.get("authorization", ""))
        if found is None:
            raise ValueError(f"{self.method} {self.path} is not signed")
        return found[1], found[2], found[3]

    def operation(self) -> str:
        """Returns the operation of a service whose requests name it in a header."""
        return self.headers["x-amz-target"].rpartition(".")[2]

    def fields(self) -> dict:
        """Returns a body in JSON."""
        return json.loads(self.body or b"{}")


def requests(call: Call) -> list[Request]:
    """Returns what the signer of a call must be permitted to do."""
    _, region, service = call.signer()
    if service not in SERVICES:
        raise ValueError(f"scripts/lib/infra/apply/actions.py does not know the service {service}")
    return SERVICES[service](call, f"arn:aws:{service}:{region}:{ACCOUNT}")


def sqs(call: Call, arn: str) -> list[Request]:
    """Queues. A batch needs the action for one message."""
    fields = call.fields()
    name = fields.get("QueueName") or fields.get("QueueUrl", "*").rpartition("/")[2]
    return [Request(f"sqs:{call.operation().removesuffix('Batch')}", f"{arn}:{name}")]


def ssm(call: Call, arn: str) -> list[Request]:
    """Parameters."""
    fields = call.fields()
    names = fields.get("Names") or [fields["Name"]]
    return [Request(f"ssm:{call.operation()}", f"{arn}:parameter/{name.lstrip('/')}") for name in names]


def dynamodb(call: Call, arn: str) -> list[Request]:
    """Tables. A transaction needs the action of each of its parts."""
    fields, operation = call.fields(), call.operation()
    if "TransactItems" in fields:
        parts = [(kind, part["TableName"]) for item in fields["TransactItems"] for kind, part in item.items()]
        actions = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"}
        return [
            Request(f"dynamodb:{actions.get(kind, 'ConditionCheckItem')}", f"{arn}:table/{of}") for kind, of in parts
        ]
    tables = [fields["TableName"]] if "TableName" in fields else list(fields["RequestItems"])
    index = f"/index/{fields['IndexName']}" if "IndexName" in fields else ""
    return [Request(f"dynamodb:{operation}", f"{arn}:table/{table}{index}") for table in tables]


def sns(call: Call, arn: str) -> list[Request]:
    """Topics."""
    fields = parse_qs(call.body.decode())
    return [Request(f"sns:{fields['Action'][0].removesuffix('Batch')}", fields.get("TopicArn", [f"{arn}:*"])[0])]


def sts(_: Call, __: str) -> list[Request]:
    """A caller may always ask for its own identity."""
    return []


MAPPINGS = {"GET": "GetEventSourceMapping", "PUT": "UpdateEventSourceMapping", "DELETE": "DeleteEventSourceMapping"}
CONCURRENCY = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}


def functions(call: Call, arn: str) -> list[Request]:
    """Functions and their mappings."""
    parts = call.path.strip("/").split("/")[1:]
    if parts[0] == "event-source-mappings":
        if len(parts) == 1:
            return [Request("lambda:ListEventSourceMappings", "*")]
        return [Request(f"lambda:{MAPPINGS[call.method]}", f"{arn}:event-source-mapping:{parts[1]}")]
    name = parts[1].rpartition("function:")[2]
    if parts[2] == "concurrency":
        action = f"{CONCURRENCY[call.method]}FunctionConcurrency"
    else:
        action = {"configuration": "GetFunctionConfiguration", "invocations": "InvokeFunction"}[parts[2]]
    return [Request(f"lambda:{action}", f"{arn}:function:{name}")]


SCHEDULES = {"POST": "CreateSchedule", "PUT": "UpdateSchedule", "DELETE": "DeleteSchedule", "GET": "GetSchedule"}


def scheduler(call: Call, arn: str) -> list[Request]:
    """Schedules. A caller that sets one passes its role to Scheduler."""
    parts = call.path.strip("/").split("/")
    if parts == ["schedules"]:
        return [Request("scheduler:ListSchedules", f"{arn}:schedule/*/*")]
    fields = call.fields() if call.method in ("POST", "PUT") else {}
    group = fields.get("GroupName") or call.query.get("groupName", ["default"])[0]
    made = [Request(f"scheduler:{SCHEDULES[call.method]}", f"{arn}:schedule/{group}/{parts[1]}")]
    if fields:
        passed = (("iam:PassedToService", "scheduler.amazonaws.com"),)
        made.append(Request("iam:PassRole", fields["Target"]["RoleArn"], passed))
    return made


OBJECTS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject", "DELETE": "DeleteObject"}


def s3(call: Call, _: str) -> list[Request]:
    """Objects. One that is copied is also read."""
    bucket, _, key = call.path.lstrip("/").partition("/")
    if not key and call.method == "POST" and "delete" in call.query:
        keys = re.findall(r"<Key>(.*?)</Key>", call.body.decode())
        return [Request("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{name}") for name in keys]
    if not key:
        return [Request("s3:ListBucket", f"arn:aws:s3:::{bucket}")]
    aborts = call.method == "DELETE" and "uploadId" in call.query
    made = [
        Request("s3:AbortMultipartUpload" if aborts else f"s3:{OBJECTS[call.method]}", f"arn:aws:s3:::{bucket}/{key}")
    ]
    if source := call.headers.get("x-amz-copy-source"):
        made.append(Request("s3:GetObject", f"arn:aws:s3:::{unquote(source).lstrip('/')}"))
    return made


SERVICES: dict[str, Callable[[Call, str], list[Request]]] = {
    "dynamodb": dynamodb,
    "lambda": functions,
    "s3": s3,
    "scheduler": scheduler,
    "sns": sns,
    "sqs": sqs,
    "ssm": ssm,
    "sts": sts,
}
