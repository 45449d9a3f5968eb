"""Runs each fleet of an installation in the emulator, under the roles that Terraform made. Nothing may be denied.

usage: roles.py EMULATOR-URL PROGRAM REGION [--json] PREFIX…

PROGRAM is the binary `stint` with all backends and stand-ins. Each PREFIX is an installation in REGION; they run at
the same time. MONGODB_URI names a MongoDB server; without it, fleets that need one are not run. Prints how often each
role was asked for a right, and the rights that nothing has needed. Exit code: 0 nothing was denied, 1 something was,
2 wrong usage.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

from botocore.exceptions import ClientError

import fleets
from function import Failed
from installation import Installation
from policies import listed, matches
from proxy import Proxy, Role


def main(arguments: list[str]) -> int:
    """Runs the command line."""
    as_json = "--json" in arguments
    rest = [argument for argument in arguments if argument != "--json"]
    if len(rest) < 4:
        print(__doc__, file=sys.stderr)
        return 2
    url, program, region, *prefixes = rest
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as threads:
        bootstrap = Path(folder) / "bootstrap"
        bootstrap.symlink_to(Path(program).resolve())
        made = [Installation(Proxy(url), region, prefix, bootstrap, Path(folder) / prefix) for prefix in prefixes]
        reports = list(threads.map(run, made))
    report = dict(zip(prefixes, reports, strict=True))
    print(json.dumps(report, indent=1) if as_json else "\n".join(lines(report) for report in reports))
    return 1 if any(report["denied"] or report["unknown_requests"] or report["failed"] for report in reports) else 0


def run(installation: Installation) -> dict[str, Any]:
    """Runs the fleets that are deployed, and reports."""
    refuse_what_is_not_allowed(installation)
    deployed = {worker.partition("/")[0] for worker in installation.workers}
    skipped, failed = {}, {}
    for fleet in sorted(deployed):
        if fleet not in fleets.FLEETS:
            raise SystemExit(f"scripts/lib/infra/apply/fleets.py does not say how {fleet} is run")
        needs, drive = fleets.FLEETS[fleet]
        if missing := [name for name in needs if name not in os.environ]:
            skipped[fleet] = f"{', '.join(missing)} is not set"
            continue
        if failure := drive_to_the_end(drive, installation):
            failed[fleet] = failure
    installation.ask_for_lambda()
    installation.ask_for_scheduler()
    roles = sorted(installation.roles.values(), key=lambda role: role.name)
    return {
        "roles": {role.name: role.asked for role in roles},
        "denied": {role.name: role.denied for role in roles if role.denied},
        "unknown_requests": installation.proxy.unknown,
        "not_exercised": {role.name: rights for role in roles if (rights := not_exercised(role))},
        "failed": failed,
        "skipped": skipped,
    }


def drive_to_the_end(drive: Callable[[Installation], None], installation: Installation) -> str | None:
    """Runs a fleet. Its functions end in any case. Returns why it did not do its work, which may be a denial."""
    try:
        drive(installation)
        return None
    except (ClientError, Failed, RuntimeError) as error:
        return str(error)
    finally:
        installation.stop()


def refuse_what_is_not_allowed(installation: Installation) -> None:
    """Fails unless requests are really decided on: no function may read another program's parameter."""
    for deployed in installation.workers.values():
        client = installation.client("ssm", deployed.credentials)
        try:
            client.get_parameter(Name="/other/PASSWORD")
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDeniedException":
                deployed.role.denied.clear()
                continue
        raise SystemExit(f"{deployed.role.name} may read any parameter")


def not_exercised(role: Role) -> list[str]:
    """Returns the rights of a role that no request has needed."""
    rights = [
        (action, resource)
        for document in role.documents
        for statement in listed(document["Statement"])
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]
    return sorted(f"{action} on {resource}" for action, resource in rights if not needed(role, action, resource))


def needed(role: Role, action: str, resource: str) -> bool:
    """Returns whether a request of the role has needed a right."""
    return any(matches(action, request.action) and matches(resource, request.resource) for request in role.used)


def lines(report: dict[str, Any]) -> str:
    """Returns the report as text."""
    rows = [f"{role:64} {count:6} decisions" for role, count in report["roles"].items()]
    for role, rights in report["not_exercised"].items():
        actions = Counter(right.partition(" ")[0] for right in rights)
        rows.append(f"not exercised: {role}: " + ", ".join(f"{name} on {count}" for name, count in actions.items()))
    rows.extend(f"skipped: {fleet}: {why}" for fleet, why in report["skipped"].items())
    rows.extend(f"not understood: {request}" for request in report["unknown_requests"])
    rows.extend(f"FAILED: {fleet}: {why}" for fleet, why in report["failed"].items())
    for role, denied in report["denied"].items():
        rows.extend(f"DENIED: {role}: {request}" for request in sorted(set(denied)))
    denials = sum(map(len, report["denied"].values()))
    rows.append(f"{len(report['roles'])} roles, {sum(report['roles'].values())} decisions, {denials} denied")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
