"""Tests the checks of this folder: AWS's model, what is read back, and policy documents.

usage: apply_test.py
"""

import json
import unittest

import botocore.session

import documents
import kinds
import shapes
from policies import Request, faults, permits
from session import Refused, Session, differences, given

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:players"


def model(service: str, operation: str) -> botocore.model.OperationModel:
    """Returns AWS's model of an operation."""
    return botocore.session.get_session().get_service_model(service).operation_model(operation)


class Shapes(unittest.TestCase):
    """Requests that the library itself would send."""

    def found(self, operation: str, **parameters: object) -> list[str]:
        return shapes.faults(model("lambda", operation), parameters)

    def test_a_valid_request_passes(self) -> None:
        mapping = {"FunctionName": "discover", "BatchSize": 5, "ScalingConfig": {"MaximumConcurrency": 2}}
        self.assertEqual(self.found("CreateEventSourceMapping", **mapping), [])

    def test_a_number_out_of_range_is_found(self) -> None:
        (found,) = self.found("CreateEventSourceMapping", ScalingConfig={"MaximumConcurrency": 1})
        self.assertIn("ScalingConfig.MaximumConcurrency is below the minimum of 2: 1", found)

    def test_an_unknown_value_and_a_wrong_pattern_are_found(self) -> None:
        found = self.found("CreateFunction", Runtime="cobol", VpcConfig={"SubnetIds": ["a"]})
        self.assertEqual(len(found), 2, found)
        self.assertIn("Runtime is none of", found[0])
        self.assertIn("VpcConfig.SubnetIds[0] does not match", found[1])


class Stored(unittest.TestCase):
    """What was asked for, and what was stored."""

    def test_more_may_be_stored_than_was_asked_for(self) -> None:
        asked = {"Delay": "5", "Policy": '{"a": 1}', "Absent": None, "Empty": {"Absent": None}, "List": ["b", "a"]}
        stored = {"Delay": 5, "Policy": {"a": 1, "b": 2}, "Further": 1, "List": ["a", "b"]}
        self.assertEqual(list(differences(asked, stored, "")), [])

    def test_what_differs_is_named(self) -> None:
        self.assertEqual(
            list(differences({"a": {"b": 1}, "c": [1]}, {"a": {}, "c": [1, 2]}, "")),
            ["a.b is None, and should be 1", "c is [1, 2], and should be [1]"],
        )

    def test_nulls_are_not_sent(self) -> None:
        self.assertEqual(given({"a": None, "b": {"c": None}, "d": [{"e": None}], "f": 0}), {"d": [{}], "f": 0})


class Kinds(unittest.TestCase):
    """Types of resources."""

    def test_a_type_without_requests_is_named(self) -> None:
        with self.assertRaisesRegex(Refused, "does not say which requests make aws_glacier_vault"):
            kinds.create(Session("http://127.0.0.1:9"), {}, "aws_glacier_vault", {})


def statement(**fields: object) -> dict:
    """Returns a statement that permits sending to a queue, with other fields."""
    return {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE} | fields


def document(*statements: dict) -> dict:
    """Returns a policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


class Documents(unittest.TestCase):
    """What IAM refuses."""

    def test_a_valid_document_passes(self) -> None:
        for action in ["sqs:SendMessage", "s3:ListBucket", "iam:PassRole", "logs:*", "kms:Decrypt"]:
            self.assertEqual(list(faults(document(statement(Action=action)), False)), [], action)

    def test_each_fault_is_found(self) -> None:
        broken = [
            ({"Action": "sqs:SendMessages"}, "there is no action sqs:SendMessages"),
            ({"Action": "queues:Send"}, "there is no action queues:Send"),
            ({"Resource": "players"}, "players is no ARN"),
            ({"Resource": []}, "it has no resource"),
            ({"Effect": "Permit"}, "the effect is Permit"),
            ({"Sid": "a b"}, "a Sid has letters and digits only"),
            ({"Principal": "*"}, "a role's policy cannot have a principal"),
            ({"Condition": {}, "When": 1}, "When is no element"),
        ]
        for fields, expected in broken:
            with self.subTest(expected):
                (found,) = faults(document(statement(**fields)), False)
                self.assertIn(expected, found)

    def test_a_document_of_a_resource_has_principals(self) -> None:
        (found,) = faults(document(statement()), True)
        self.assertIn("it has no principal", found)

    def test_a_document_is_composed_as_the_provider_does(self) -> None:
        nothing = dict.fromkeys(["sid", "effect", "not_actions", "not_resources"])
        blocks = {"principals": [], "not_principals": [], "condition": []}
        written = nothing | blocks | {"actions": ["sqs:SendMessage"], "resources": ["b", "a"]}
        made = documents.policy_document({}, {"version": None, "policy_id": None, "statement": [written]})
        expected = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": ["a", "b"]}
        self.assertEqual(json.loads(made["json"]), document(expected))


class Permits(unittest.TestCase):
    """How IAM decides."""

    def check(self, expected: bool, *statements: dict, action: str = "sqs:SendMessage", resource: str = QUEUE) -> None:
        context = (("iam:PassedToService", "scheduler.amazonaws.com"),)
        decided = permits([document(one) for one in statements], Request(action, resource, context))
        self.assertEqual(decided, expected, statements)

    def test_nothing_is_permitted_by_default(self) -> None:
        self.check(False)
        self.check(False, statement(), action="sqs:DeleteMessage")
        self.check(False, statement(), resource=f"{QUEUE}-dead-letters")

    def test_what_a_statement_allows_is_permitted(self) -> None:
        self.check(True, statement())
        self.check(
            True, statement(Action=["sqs:GetQueueUrl", "sqs:Send*"], Resource="arn:aws:sqs:*:123456789012:play?rs")
        )
        self.check(True, statement(NotAction="sqs:DeleteMessage", Action=None) | {"Resource": "*"})

    def test_a_denial_wins(self) -> None:
        self.check(False, statement(), statement(Effect="Deny", Resource="*"))

    def test_conditions_must_hold(self) -> None:
        passed = {"iam:PassedToService": "scheduler.amazonaws.com"}
        self.check(True, statement(Condition={"StringEquals": passed}))
        self.check(False, statement(Condition={"StringEquals": {"iam:PassedToService": ["lambda.amazonaws.com"]}}))
        self.check(False, statement(Condition={"StringEquals": {"aws:SourceAccount": "1"}}))
        with self.assertRaises(ValueError):
            self.check(True, statement(Condition={"Bool": {"aws:SecureTransport": "true"}}))


if __name__ == "__main__":
    unittest.main()
