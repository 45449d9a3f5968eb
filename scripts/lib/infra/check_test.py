"""Tests that each rule finds the fault that it is for, and that valid configuration passes.

usage: check_test.py PACKAGE-FOLDER
"""

import sys
import tempfile
import unittest
from pathlib import Path

import rules
from provider import Provider

PACKAGE = Path(sys.argv.pop())

QUEUE = 'resource "aws_sqs_queue" "this" { name = "players" }\n'

# Valid configuration: a block, a block with a label, a reference with an index, and strings that look like references.
SOUND = {
    "main.tf": QUEUE
    + """
locals { many = toset(["var.a", "${aws_sqs_queue.this.name} of module.nobody"]) }
data "aws_iam_policy_document" "this" {
  statement { resources = [aws_sqs_queue.this.arn] }
  dynamic "statement" {
    for_each = local.many
    content { actions = [statement.value] }
  }
}
resource "aws_iam_role" "this" {
  count              = 1
  assume_role_policy = data.aws_iam_policy_document.this.json
}
module "child" {
  source = "./child"
  queue  = aws_sqs_queue.this
  role   = aws_iam_role.this[0].arn
}
output "answer" {
  description = "What comes of it."
  value       = module.child.role
}
""",
    "child/main.tf": """
variable "queue" {
  description = "A queue."
  type        = object({ arn = string, tags = optional(string) })
}
variable "role" {
  description = "A role."
  type        = string
}
output "role" {
  description = "The role of the queue."
  value       = "${var.role} of ${var.queue.arn}"
}
""",
}

MAPPING = 'resource "aws_lambda_event_source_mapping" "this" {{\n function_name = "f"\n {}\n}}'
POLICY = 'data "aws_iam_policy_document" "this" {{\n {}\n}}'

# Rule, file with one fault, and the expected message.
BROKEN = [
    ("arguments", 'resource "aws_sqs_queue" "this" { max_receives = 5 }', "max_receives is no argument of it"),
    ("arguments", 'resource "aws_sqs_queues" "this" {}', "has no resource aws_sqs_queues"),
    ("arguments", 'resource "aws_iam_role" "this" {}', "assume_role_policy is missing"),
    ("arguments", MAPPING.format("scaling_config { maximum = 2 }"), "scaling_config.maximum is no argument of it"),
    ("arguments", MAPPING.format("scaling { maximum = 2 }"), "scaling is no block of it"),
    ("arguments", MAPPING.format("scaling_config = { a = 2 }"), "scaling_config is a block"),
    ("arguments", MAPPING.format('topics = "all"'), "topics is a text, and must be a list"),
    ("arguments", POLICY.format('statement {\n principals { type = "AWS" }\n }'), "principals.identifiers is missing"),
    ("arguments", POLICY.format('dynamic "rule" {\n for_each = []\n content {}\n }'), "rule is no block of it"),
    ("unused", 'variable "idle" {}', "variable.idle: nothing reads it"),
    ("unused", "locals { idle = 1 }", "local.idle: nothing reads it"),
    ("unused", 'data "aws_partition" "idle" {}', "data.aws_partition.idle: nothing reads it"),
    ("documented", 'variable "v" { type = string }', "variable.v: it has no description"),
    ("documented", 'variable "v" { description = "" }', "variable.v: it has no type"),
    ("documented", 'output "o" { value = 1 }', "output.o: it has no description"),
]


class Rules(unittest.TestCase):
    """Each test has its own module."""

    provider = Provider(PACKAGE)

    def module(self, more: str = "") -> Path:
        """Returns a folder with the valid module and one more file."""
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, text in {**SOUND, "more.tf": more}.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        return folder

    def test_what_is_sound_passes(self) -> None:
        folder = self.module()
        for each in (folder, folder / "child"):
            self.assertEqual(rules.findings(each, self.provider), [])

    def test_what_is_broken_is_found_and_named(self) -> None:
        for name, text, expected in BROKEN:
            with self.subTest(text):
                module = rules.load(self.module(text))
                found = list(getattr(rules, name)(module, self.provider))
                self.assertEqual(len(found), 1, found)
                self.assertIn(expected, found[0])

    def test_every_rule_has_an_example(self) -> None:
        self.assertEqual({name for name, _, _ in BROKEN}, {rule.__name__ for rule in rules.RULES})

    def test_what_is_no_terraform_is_refused(self) -> None:
        with self.assertRaises(SystemExit):
            rules.load(self.module('resource "aws_sqs_queue" {{'))


if __name__ == "__main__":
    unittest.main()
