"""Tests how requests are decided on: which rights each needs, and what the proxy does with one that is not permitted.

usage: roles_test.py
"""

import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
from botocore.exceptions import ClientError

from actions import Call, requests
from policies import Request
from proxy import Proxy, Role
from roles import not_exercised

HERE = "eu-west-1:123456789012"
QUEUE = f"arn:aws:sqs:{HERE}:players"
ROLE = "arn:aws:iam::123456789012:role/wakeups"


def call(service: str, method: str, target: str, body: str = "", **headers: str) -> Call:
    """Returns a signed request."""
    signed = {
        "authorization": f"AWS4-HMAC-SHA256 Credential=key/20261130/eu-west-1/{service}/aws4_request, Signature=0"
    }
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(method, target, signed | more, body.encode())


class Actions(unittest.TestCase):
    """The requests of the SDKs."""

    def needs(self, made: Call, *expected: tuple[str, str]) -> None:
        self.assertEqual([(request.action, request.resource) for request in requests(made)], list(expected))

    def test_a_batch_needs_the_right_to_one_message(self) -> None:
        batch = '{"QueueUrl": "http://127.0.0.1:1/123456789012/players"}'
        self.needs(
            call("sqs", "POST", "/", batch, x_amz_target="AmazonSQS.SendMessageBatch"), ("sqs:SendMessage", QUEUE)
        )
        name = '{"QueueName": "players"}'
        self.needs(call("sqs", "POST", "/", name, x_amz_target="AmazonSQS.GetQueueUrl"), ("sqs:GetQueueUrl", QUEUE))

    def test_each_parameter_needs_a_right(self) -> None:
        names = '{"Names": ["/a/B", "/a/C"]}'
        arns = [f"arn:aws:ssm:{HERE}:parameter/a/{name}" for name in "BC"]
        made = call("ssm", "POST", "/", names, x_amz_target="AmazonSSM.GetParameters")
        self.needs(made, *(("ssm:GetParameters", arn) for arn in arns))

    def test_a_mapping_is_listed_and_changed(self) -> None:
        path = "/2015-03-31/event-source-mappings"
        self.needs(call("lambda", "GET", f"{path}?FunctionName=f"), ("lambda:ListEventSourceMappings", "*"))
        arn = f"arn:aws:lambda:{HERE}:event-source-mapping:1-2"
        self.needs(call("lambda", "PUT", f"{path}/1-2"), ("lambda:UpdateEventSourceMapping", arn))
        function = f"arn:aws:lambda:{HERE}:function:f"
        made = call("lambda", "PUT", "/2017-10-31/functions/f/concurrency")
        self.needs(made, ("lambda:PutFunctionConcurrency", function))

    def test_setting_a_schedule_passes_its_role(self) -> None:
        arn = f"arn:aws:scheduler:{HERE}:schedule/wakeups/revive"
        body = f'{{"GroupName": "wakeups", "Target": {{"RoleArn": "{ROLE}"}}}}'
        made = call("scheduler", "PUT", "/schedules/revive", body)
        self.needs(made, ("scheduler:UpdateSchedule", arn), ("iam:PassRole", ROLE))
        self.assertEqual(requests(made)[1].context, (("iam:PassedToService", "scheduler.amazonaws.com"),))
        made = call("scheduler", "DELETE", "/schedules/revive?groupName=wakeups")
        self.needs(made, ("scheduler:DeleteSchedule", arn))

    def test_objects_and_their_bucket(self) -> None:
        self.needs(call("s3", "GET", "/pages?list-type=2"), ("s3:ListBucket", "arn:aws:s3:::pages"))
        self.needs(call("s3", "HEAD", "/pages/a/b"), ("s3:GetObject", "arn:aws:s3:::pages/a/b"))
        self.needs(call("s3", "DELETE", "/pages/a?uploadId=1"), ("s3:AbortMultipartUpload", "arn:aws:s3:::pages/a"))
        copied = call("s3", "PUT", "/pages/b", x_amz_copy_source="/pages/a")
        self.needs(copied, ("s3:PutObject", "arn:aws:s3:::pages/b"), ("s3:GetObject", "arn:aws:s3:::pages/a"))

    def test_a_transaction_needs_the_right_of_each_part(self) -> None:
        body = '{"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "t"}}]}'
        table = f"arn:aws:dynamodb:{HERE}:table/t"
        made = call("dynamodb", "POST", "/", body, x_amz_target="DynamoDB_20120810.TransactWriteItems")
        self.needs(made, ("dynamodb:PutItem", table), ("dynamodb:ConditionCheckItem", table))

    def test_what_is_not_known_is_an_error(self) -> None:
        for made in [call("glacier", "GET", "/"), call("lambda", "PATCH", "/2017-10-31/functions/f/concurrency")]:
            with self.assertRaises((KeyError, ValueError)):
                requests(made)


class Emulator(BaseHTTPRequestHandler):
    """Answers every request with an empty object."""

    def do_POST(self) -> None:
        """Answers."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # pylint: disable=redefined-builtin
        """Logs nothing."""


class Decisions(unittest.TestCase):
    """A client whose requests pass the proxy."""

    def setUp(self) -> None:
        server = HTTPServer(("127.0.0.1", 0), Emulator)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.proxy = Proxy(f"http://127.0.0.1:{server.server_port}")
        statement = {"Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:DeleteMessage"], "Resource": QUEUE}
        self.role = self.proxy.roles["key"] = Role("fetcher", [{"Version": "2012-10-17", "Statement": [statement]}])

    def send(self, queue: str, key: str = "key") -> None:
        client = boto3.client(
            "sqs", "eu-west-1", endpoint_url=self.proxy.url, aws_access_key_id=key, aws_secret_access_key="s"
        )
        client.delete_message(QueueUrl=f"{self.proxy.url}/123456789012/{queue}", ReceiptHandle="r")

    def test_what_is_permitted_is_forwarded_and_recorded(self) -> None:
        self.send("players")
        self.assertEqual(self.role.used, {Request("sqs:DeleteMessage", QUEUE)})
        self.assertEqual(not_exercised(self.role), [f"sqs:SendMessage on {QUEUE}"])

    def test_what_is_not_permitted_is_refused_and_recorded(self) -> None:
        with self.assertRaisesRegex(
            ClientError, "AccessDenied.*fetcher is not authorized to perform: sqs:DeleteMessage"
        ):
            self.send("others")
        self.assertEqual(self.role.denied, [f"sqs:DeleteMessage on arn:aws:sqs:{HERE}:others"])

    def test_an_operator_may_do_everything(self) -> None:
        self.send("others", key="operator")
        self.assertEqual((self.role.used, self.role.denied), (set(), []))


if __name__ == "__main__":
    unittest.main()
