"""An installation as the emulator has it: its functions with their settings and roles, its queues and schedules."""

import datetime
import json
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Iterator

import boto3
from botocore.config import Config

from function import Function
from policies import Request
from proxy import Proxy, Role


@dataclass(frozen=True)
class Credentials:
    """What requests are signed with."""

    key: str
    secret: str
    token: str = ""

    def variables(self) -> dict[str, str]:
        """Returns them as a function gets them."""
        made = {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}
        return made | ({"AWS_SESSION_TOKEN": self.token} if self.token else {})


# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
NETWORK_ACTIONS = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")

OPERATOR = Credentials("operator", "operator")


@dataclass
class Deployed:
    """A function that exists, and its role."""

    arn: str
    timeout: int
    variables: dict[str, str]
    role: Role
    credentials: Credentials
    has_network: bool
    mappings: list[dict[str, Any]] = field(default_factory=list)


class Installation:
    """The functions whose names begin with a prefix, in a region."""

    def __init__(self, proxy: Proxy, region: str, prefix: str, program: Path, folder: Path):
        self.proxy, self.region, self.prefix, self.program, self.folder = proxy, region, prefix, program, folder
        folder.mkdir()
        self.roles: dict[str, Role] = {}
        self.running: list[Function] = []
        self.workers = {deployed.variables["STINT_WORKER"]: deployed for deployed in self.deployed()}

    @cache
    def client(self, service: str, credentials: Credentials = OPERATOR) -> Any:
        """Returns a client that signs with these credentials."""
        return boto3.client(
            service,
            region_name=self.region,
            endpoint_url=self.proxy.url,
            aws_access_key_id=credentials.key,
            aws_secret_access_key=credentials.secret,
            aws_session_token=credentials.token or None,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def deployed(self) -> Iterator[Deployed]:
        """Yields the functions of the installation."""
        client = self.client("lambda")
        for function in client.list_functions(MaxItems=1000)["Functions"]:
            if function["FunctionName"].startswith(f"{self.prefix}-"):
                role, credentials = self.assume(function["Role"])
                mappings = client.list_event_source_mappings(FunctionName=function["FunctionArn"])
                variables = function["Environment"]["Variables"]
                arn, timeout = function["FunctionArn"], function["Timeout"]
                network = bool(function.get("VpcConfig", {}).get("SubnetIds"))
                yield Deployed(arn, timeout, variables, role, credentials, network, mappings["EventSourceMappings"])

    def assume(self, arn: str) -> tuple[Role, Credentials]:
        """Returns a role with credentials for it, by which the proxy knows it again."""
        role = self.role(arn)
        made = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="function")["Credentials"]
        self.proxy.roles[made["AccessKeyId"]] = role
        return role, Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])

    def role(self, arn: str) -> Role:
        """Returns a role with its policies, from the emulator."""
        iam, name = self.client("iam"), arn.rpartition("/")[2]
        if name not in self.roles:
            inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
            documents = [iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in inline]
            for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
                version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
                policy = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)
                documents.append(policy["PolicyVersion"]["Document"])
            self.roles[name] = Role(name, documents)
        return self.roles[name]

    def start(self, worker: str, settings: dict[str, str], without: tuple[str, ...] = ()) -> Function:
        """Starts a worker's function with the settings that were deployed, changed by `settings` and `without` some."""
        deployed = self.workers[worker]
        home = {"STINT_HOME": str(self.folder / "home"), "AWS_ENDPOINT_URL": self.proxy.url}
        variables = deployed.variables | settings | home | deployed.credentials.variables()
        variables = {name: value for name, value in variables.items() if name not in without}
        log = self.folder / f"{worker.replace('/', '-')}.log"
        self.running.append(Function(self.program, deployed.arn, deployed.timeout, variables, log))
        return self.running[-1]

    def stop(self) -> None:
        """Ends all functions."""
        for function in self.running:
            function.stop()

    def put_secrets(self, worker: str, values: dict[str, str]) -> None:
        """Creates the parameters that a worker reads, as an operator does."""
        client = self.client("ssm")
        for name in filter(None, self.workers[worker].variables["STINT_AWS_SECRETS"].split(",")):
            value = values[name.rpartition("/")[2]]
            client.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    def command(self, worker: str, settings: dict[str, str], *arguments: str) -> str:
        """Runs an operator's command with a worker's settings, and returns what it prints."""
        home = {"STINT_HOME": str(self.folder / "home"), "AWS_ENDPOINT_URL": self.proxy.url, "AWS_REGION": self.region}
        variables = self.workers[worker].variables | settings | home | OPERATOR.variables()
        variables |= {"STINT_METRICS": "none"}
        program = self.program.resolve()
        ran = subprocess.run([program, *arguments], env=variables, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"stint {' '.join(arguments)}: {ran.stderr}")
        return ran.stdout

    def queue(self, worker: str) -> "Queue":
        """Returns the queue that feeds a worker, as Lambda's poller sees it."""
        deployed = self.workers[worker]
        (mapping,) = deployed.mappings
        return Queue(self, deployed, mapping["EventSourceArn"], mapping["UUID"])

    def ask_for_lambda(self) -> None:
        """Asks for what Lambda itself does under a function's role: it writes the log, and connects it to a network."""
        for deployed in self.workers.values():
            name = deployed.arn.rpartition(":")[2]
            group = f"arn:aws:logs:{self.region}:{deployed.arn.split(':')[4]}:log-group:/aws/lambda/{name}"
            for action in ("CreateLogStream", "PutLogEvents"):
                deployed.role.ask(Request(f"logs:{action}", f"{group}:log-stream:today"))
            for action in NETWORK_ACTIONS if deployed.has_network else ():
                deployed.role.ask(Request(action, "*"))

    def ask_for_scheduler(self) -> None:
        """Asks for what Scheduler does under the roles of schedules: it starts a function."""
        client = self.client("scheduler")
        for group in client.list_schedule_groups()["ScheduleGroups"]:
            if group["Name"].startswith(f"{self.prefix}-"):
                for schedule in client.list_schedules(GroupName=group["Name"])["Schedules"]:
                    found = client.get_schedule(GroupName=group["Name"], Name=schedule["Name"])["Target"]
                    self.role(found["RoleArn"]).ask(Request("lambda:InvokeFunction", found["Arn"]))


class Queue:
    """A queue, with a function's poller. It signs with the function's role, as Lambda's does."""

    def __init__(self, installation: Installation, deployed: Deployed, arn: str, mapping: str):
        self.client = installation.client("sqs", deployed.credentials)
        self.functions = installation.client("lambda")
        self.arn, self.mapping, self.region = arn, mapping, installation.region
        self.url = installation.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        self.batch = self.functions.get_event_source_mapping(UUID=mapping)["BatchSize"]

    def is_enabled(self) -> bool:
        """Returns whether the mapping receives."""
        return self.functions.get_event_source_mapping(UUID=self.mapping)["State"].startswith("Enabl")

    def feed(self, function: Function, seconds: int | None = None) -> int:
        """Receives a batch for a function, and deletes what it does not give back. Returns the number of messages."""
        self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        received = self.client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=self.batch, AttributeNames=["All"], VisibilityTimeout=30
        ).get("Messages", [])
        if received:
            answer = function.invoke({"Records": [self.record(message) for message in received]}, seconds) or {}
            kept = {failure["itemIdentifier"] for failure in answer.get("batchItemFailures", [])}
            for message in received:
                if message["MessageId"] not in kept:
                    self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return len(received)

    def record(self, message: dict[str, Any]) -> dict[str, Any]:
        """Returns a message as Lambda passes it on."""
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": self.arn,
            "awsRegion": self.region,
        }


def tick(worker: str) -> dict[str, Any]:
    """Returns the event of a schedule."""
    due = datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    return {"wakeup": f"start-{worker.rpartition('/')[2]}", "worker": worker, "due": due}


def upstream(program: Path, fleet: str, *arguments: str) -> tuple[subprocess.Popen, dict[str, str]]:
    """Starts a stand-in of an upstream. Returns its process, and the settings that lead to it."""
    process = subprocess.Popen(
        [program, "upstream", fleet, "--port", "0", "--json", *arguments],
        env={"STINT_HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            break
    settings = {name.upper(): value for name, value in json.loads(text).items() if isinstance(value, str)}
    settings.pop("BOOKS", None)
    return process, settings
