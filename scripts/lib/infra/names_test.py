"""Tests names.py.

usage: names_test.py
"""

import unittest

from names import findings


def state(kind: str, name: dict[str, str]) -> dict:
    """Returns a state with one resource, in a module."""
    resource = {"address": f"module.m.{kind}", "name": f"resource-{kind}-this", "values": {"input": name}}
    return {"values": {"root_module": {"child_modules": [{"resources": [resource]}]}}}


class Names(unittest.TestCase):
    """Two installations with one resource each."""

    def found(self, first: str, second: str, kind: str, argument: str, *names: str) -> list[str]:
        states = [state(kind, {argument: name}) for name in names]
        return findings(list(zip([first, second], states)))

    def test_other_names_pass(self) -> None:
        self.assertEqual(self.found("here", "here", "aws_sqs_queue", "name", "players", "other-players"), [])

    def test_a_queue_is_unique_in_its_region(self) -> None:
        self.assertEqual(self.found("here", "there", "aws_sqs_queue", "name", "players", "players"), [])
        (found,) = self.found("here", "here", "aws_sqs_queue", "name", "players", "players")
        self.assertIn("players is the name of here: module.m.aws_sqs_queue too", found)

    def test_a_role_is_unique_in_the_account(self) -> None:
        (found,) = self.found("here", "there", "aws_iam_role", "name", "worker", "worker")
        self.assertIn("worker is the name of here: module.m.aws_iam_role too", found)

    def test_a_name_may_be_too_long(self) -> None:
        (found,) = self.found("here", "there", "aws_iam_role", "name", "r" * 64, "s" * 65)
        self.assertIn("has more than 64 characters", found)

    def test_a_type_that_is_not_known_is_named(self) -> None:
        found = self.found("here", "there", "aws_dynamodb_table", "name", "events", "other-events")
        self.assertIn("names.py does not say how aws_dynamodb_table is named", found[0])

    def test_an_installation_without_resources_proves_nothing(self) -> None:
        self.assertEqual(findings([("here", {"values": {"root_module": {}}})]), ["here: nothing was made"])


if __name__ == "__main__":
    unittest.main()
