"""Checks Terraform's files against the AWS provider's schema, without Terraform and without the provider.

usage: check.py PACKAGE-FOLDER MODULE-FOLDER…

PACKAGE-FOLDER holds the types of npm's @cdktf/provider-aws (check.py --unpack PACKAGE.tgz FOLDER makes it). Prints what
it finds, a line each. Exit code: 0 nothing, 1 something, 2 wrong usage.
"""

import sys
from pathlib import Path

from provider import Provider, unpack


def main(arguments: list[str]) -> int:
    """Runs the command line."""
    if len(arguments) == 3 and arguments[0] == "--unpack":
        unpack(Path(arguments[1]), Path(arguments[2]))
        return 0
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    # Imported here, because `--unpack` needs no parser.
    from rules import findings

    provider = Provider(Path(arguments[0]))
    found = [finding for folder in arguments[1:] for finding in findings(Path(folder), provider)]
    print("\n".join(found) if found else f"as the provider {provider.version} has it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
