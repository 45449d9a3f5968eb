"""Compares the names of several installations in one account: no name may occur twice or be too long.

usage: names.py REGION=STATE…

STATE is the output of `terraform show -json` for a copy that stand_in.py has written and that was applied in REGION.
Prints one line per finding. Exit code: 0 nothing, 1 something, 2 wrong usage.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator


@dataclass(frozen=True)
class Naming:
    """How resources of a type are named: the arguments, the maximum length, and whether names are global."""

    arguments: tuple[str, ...]
    longest: int
    everywhere: bool = False


NAMINGS = {
    "aws_budgets_budget": Naming(("name",), 100, everywhere=True),
    "aws_cloudwatch_dashboard": Naming(("dashboard_name",), 255, everywhere=True),
    "aws_cloudwatch_log_group": Naming(("name",), 512),
    "aws_cloudwatch_metric_alarm": Naming(("alarm_name",), 255),
    "aws_iam_role": Naming(("name",), 64, everywhere=True),
    "aws_lambda_function": Naming(("function_name",), 64),
    "aws_s3_bucket": Naming(("bucket",), 63, everywhere=True),
    "aws_scheduler_schedule": Naming(("group_name", "name"), 64),
    "aws_scheduler_schedule_group": Naming(("name",), 64),
    "aws_sns_topic": Naming(("name",), 256),
    "aws_sqs_queue": Naming(("name",), 80),
}

# Types that are parts of another resource, which has the name.
PARTS = {
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachment",
    "aws_lambda_event_source_mapping",
    "aws_lambda_function_event_invoke_config",
    "aws_lambda_function_recursion_config",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_public_access_block",
    "aws_sns_topic_policy",
    "aws_sns_topic_subscription",
    "aws_sqs_queue_redrive_allow_policy",
}

# A type, the scope in which the name is unique, and the name.
Named = tuple[str, str, tuple[str, ...]]


def resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields what a module and the modules in it have created."""
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def findings(installations: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Yields the faults in the names of installations, each given by its region and its state."""
    found: list[str] = []
    seen: dict[Named, str] = {}
    for region, state in installations:
        made = list(resources(state["values"]["root_module"]))
        if not made:
            found.append(f"{region}: nothing was made")
        for resource in made:
            kind, of, *_ = resource["name"].split("-")
            if kind != "resource" or of in PARTS:
                continue
            address = f"{region}: {resource['address']}"
            naming = NAMINGS.get(of)
            if naming is None:
                found.append(f"{address}: names.py does not say how {of} is named")
                continue
            name = tuple(resource["values"]["input"][argument] for argument in naming.arguments)
            if len(name[-1]) > naming.longest:
                found.append(f"{address}: {name[-1]} has more than {naming.longest} characters")
            key = (of, "" if naming.everywhere else region, name)
            if key in seen:
                found.append(f"{address}: {'/'.join(name)} is the name of {seen[key]} too")
            seen[key] = address
    return found


def main(arguments: list[str]) -> int:
    """Runs the command line."""
    installations = [argument.partition("=") for argument in arguments]
    if len(installations) < 2 or not all(path for _, _, path in installations):
        print(__doc__, file=sys.stderr)
        return 2
    states = [(region, json.loads(Path(path).read_text())) for region, _, path in installations]
    found = findings(states)
    print("\n".join(found) if found else f"{len(states)} installations in one account, and no name twice")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
