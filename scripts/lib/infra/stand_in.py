"""Writes a copy of infra/ without AWS: each resource becomes a `terraform_data`, which is built into Terraform.

usage: stand_in.py PACKAGE-FOLDER MODULE-FOLDER COPY-FOLDER

Terraform can apply the copy without the provider and without a network. It then evaluates every expression, validates
every variable, converts the values passed to modules, and finds cycles. It does not show what the provider would do.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from configuration import Module, Section, fields, is_block, load
from provider import Provider
from rules import ATTRIBUTE, META_BLOCKS

# `terraform fmt` ensures that a block begins and ends in the first column.
REPLACED = re.compile(r'^(?:resource|data|provider|terraform)\b[^\n]*\{(?:\}|\n.*?^\})\n', re.S | re.M)
META = ("count", "for_each", "depends_on")

# The provider passed to a module, if it is not the default one.
PROVIDERS = re.compile(r"^ +providers += \{[^}]*\}\n", re.M)
MOVED = re.compile(r"^moved \{\n.*?^\}\n", re.S | re.M)
ADDRESS = re.compile(r"(aws_\w+)\.(\w+)")

# Values that expressions take apart or index.
KNOWN = {"account_id": "123456789012", "partition": "aws"}


def copy(module: Module, provider: Provider, folder: Path) -> None:
    """Writes the module of a folder, and the modules below it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in module.folder.glob("*.tf"):
        rest = PROVIDERS.sub("", REPLACED.sub("", file.read_text()))
        moved = ADDRESS.sub(r"terraform_data.resource-\1-\2", "".join(MOVED.findall(rest)))
        (folder / file.name).write_text(rename(module, MOVED.sub("", rest)) + moved)
    resources = {stand_in(section): replaced(module, provider, section) for section in aws(module)}
    if resources:
        content = {"resource": {"terraform_data": resources}}
        (folder / "stand-ins.tf.json").write_text(json.dumps(content, indent=1))
    for source in {call.body["source"].strip('"') for call in module.of("module")}:
        copy(load(module.folder / source), provider, folder / source)


def aws(module: Module) -> list[Section]:
    """Returns what the provider would create or look up."""
    return [*module.of("resource"), *module.of("data")]


def stand_in(section: Section) -> str:
    """Returns the name of a resource in the copy."""
    return "-".join((section.kind, *section.labels))


def replaced(module: Module, provider: Provider, section: Section) -> dict[str, Any]:
    """Returns the resource's arguments as one value, with what the provider would add to them."""
    resource = provider.find(section.kind, section.labels[0])
    given = fields(section.body)
    read = resource.attributes - set(resource.body.blocks)
    said = {name: KNOWN.get(name, f"{stand_in(section)}.{name}") for name in sorted(read)}
    said |= {name: translate(module, value) for name, value in given.items() if name not in (*META, *META_BLOCKS)}
    written: dict[str, Any] = {"input": said}
    for name in META:
        if name == "depends_on" and name in given:
            written[name] = [ATTRIBUTE.sub(referred, entry)[2:-1] for entry in given[name]]
        elif name in given:
            written[name] = translate(module, given[name])
    return written


def translate(module: Module, value: Any) -> Any:
    """Returns a value of the configuration in Terraform's JSON."""
    if is_block(value):
        # The content of a dynamic block refers to its own variable, and is left out.
        bodies = [inner for inner in value if is_block(inner)]
        return [{name: translate(module, inner) for name, inner in dynamic(fields(body)).items()} for body in bodies]
    if isinstance(value, dict):
        return {name.strip('"'): translate(module, inner) for name, inner in fields(value).items()}
    if isinstance(value, list):
        return [translate(module, inner) for inner in value]
    if isinstance(value, str):
        expression = value if value.startswith("${") else "${" + value + "}"
        return rename(module, expression)
    return value


def dynamic(body: dict[str, Any]) -> dict[str, Any]:
    """Returns a body whose dynamic blocks contain only the values they are repeated for."""
    repeated = {name: inner["for_each"] for name, inner in body.items() if is_block(inner) and "content" in inner}
    return body | repeated


def rename(module: Module, text: str) -> str:
    """Returns the text with stand-ins in place of resources."""

    def output(match: re.Match[str]) -> str:
        section = module.find("data" if match[1] else "resource", match[2], match[3])
        index = re.search(r"\[[^\]]*\]", match[0])
        if section is not None and "for_each" in section.body and index is None:
            raise SystemExit(f"{section}: a resource with for_each cannot be handed over as a whole here")
        each = index[0] if index else "[*]" if section is not None and "count" in section.body else ""
        return f"{referred(match)}{each}.output" + (f".{match[4]}" if match[4] else "")

    return ATTRIBUTE.sub(output, text)


def referred(match: re.Match[str]) -> str:
    """Returns a resource's stand-in."""
    return f"terraform_data.{'data' if match[1] else 'resource'}-{match[2]}-{match[3]}"


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    copy(load(Path(sys.argv[2])), Provider(Path(sys.argv[1])), Path(sys.argv[3]))
