"""Lets Terraform apply infra/ to an emulator of AWS, with a provider that sends the requests of each resource.

usage: apply.py TYPES-FOLDER EMULATOR-URL [--json] NAME=FOLDER VARIABLES… [-- NAME=FOLDER VARIABLES…]…

FOLDER is a copy of infra/, in which Terraform may write. Each NAME is an installation with its own VARIABLES, which
are passed to Terraform. Prints a line per type of resource. Exit code: 0 all was accepted, and read back as it was
asked for, 1 something was not, 2 wrong usage.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kinds
from plugin import Servicer, serve
from provider import Provider
from session import Session

WANTED = re.compile(r'^(resource|data) "(aws_\w+)"', re.M)
# The emulator is one process with one interpreter lock, so more requests at once gain nothing.
PARALLEL = 4


def main(arguments: list[str]) -> int:
    """Runs the command line."""
    as_json = "--json" in arguments
    rest = [argument for argument in arguments if argument != "--json"]
    if len(rest) < 3 or "=" not in rest[2]:
        print(__doc__, file=sys.stderr)
        return 2
    types, session = Provider(Path(rest[0])), Session(rest[1])
    installations = split(rest[2:])
    server, attached = serve(Servicer(types, wanted(installations), bound(session)))
    try:
        complete = all([apply(name, Path(folder), variables, attached) for name, folder, variables in installations])
    finally:
        server.stop(None)
    report = reported(session, [name for name, _, _ in installations])
    print(json.dumps(report, indent=1) if as_json else lines(report))
    return 0 if complete else 1


def split(arguments: list[str]) -> list[tuple[str, str, list[str]]]:
    """Returns the installations: the name, the folder, and the variables."""
    groups: list[list[str]] = [[]]
    for argument in arguments:
        groups.append([]) if argument == "--" else groups[-1].append(argument)
    return [(*group[0].split("=", 1), group[1:]) for group in groups]


def wanted(installations: list[tuple[str, str, list[str]]]) -> set[tuple[str, str]]:
    """Returns the types of the AWS provider that the files use."""
    files = [file for _, folder, _ in installations for file in Path(folder).rglob("*.tf")]
    return {found for file in files for found in WANTED.findall(file.read_text())}


def bound(session: Session) -> Any:
    """Returns how a resource is created in this session."""
    return lambda provider, kind, this: kinds.create(session, provider, kind, this)


def apply(name: str, folder: Path, variables: list[str], attached: dict[str, str]) -> bool:
    """Lets Terraform apply the files. What it says is shown only if it fails."""
    commands = [
        ["init", "-input=false"],
        ["apply", "-auto-approve", "-input=false", f"-parallelism={PARALLEL}", f"-state={name}.tfstate", *variables],
    ]
    for command in commands:
        ran = subprocess.run(
            ["terraform", f"-chdir={folder}", *command, "-no-color"],
            env=os.environ | attached,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if ran.returncode:
            print(f"{name}: terraform {command[0]} failed:\n{failures(ran.stdout)}", file=sys.stderr)
            return False
    return True


def failures(output: str) -> str:
    """Returns Terraform's errors, without the plan before them."""
    start = output.find("Error: ")
    return output[max(start, 0) :].strip()


def reported(session: Session, names: list[str]) -> dict[str, Any]:
    """Returns what was done."""
    return {
        "installations": names,
        "resources": dict(sorted(session.made.items())),
        "compared": dict(sorted(session.compared.items())),
        "requests": dict(sorted(session.sent.items())),
        "not_stored_by_the_emulator": {kind: sorted(what) for kind, what in sorted(session.unchecked.items())},
    }


def lines(report: dict[str, Any]) -> str:
    """Returns the report as text."""
    rows = [f"{'resource':44} {'made':>5} {'compared':>9}"]
    for kind, count in report["resources"].items():
        rows.append(f"{kind:44} {count:5} {report['compared'].get(kind, 0):9}")
    for kind, what in report["not_stored_by_the_emulator"].items():
        rows.append(
            f"{kind}: checked only against AWS's model, because the emulator does not keep it: {', '.join(what)}"
        )
    resources, requests = sum(report["resources"].values()), sum(report["requests"].values())
    rows.append(f"{', '.join(report['installations'])}: {resources} resources in {requests} requests")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
