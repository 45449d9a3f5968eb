"""Rules for faults that Terraform does not report when it evaluates the stand-in. Each rule yields findings of the form
"FILE: SECTION: what".
"""

import re
from pathlib import Path
from typing import Any, Callable, Iterator

from configuration import Module, Section, expressions, fields, is_block, load
from provider import Block, Provider

# Terraform's own arguments, which no provider lists.
META_ARGUMENTS = {"count", "depends_on", "for_each", "provider"}
META_BLOCKS = {"connection", "lifecycle", "provisioner"}

# Not after a dot, where it would be part of another reference.
START = r"(?<![\w.])"
NAMED = re.compile(START + r"(var|local)\.(\w+)")
ATTRIBUTE = re.compile(START + r"(data\.)?(aws_\w+)\.(\w+)(?:\[[^\]]*\])?(?:\.(\w+))?")


def arguments(module: Module, provider: Provider) -> Iterator[str]:
    """Yields arguments and blocks that the provider does not know, and missing ones that it requires."""
    for section in [*module.of("resource"), *module.of("data")]:
        resource = provider.find(section.kind, section.labels[0])
        if resource is None:
            yield at(section, f"the provider {provider.version} has no {section.kind} {section.labels[0]}")
        else:
            yield from (at(section, what) for what in body(resource.body, section.body, ""))


def body(schema: Block, written: dict[str, Any], path: str) -> Iterator[str]:
    """Compares a block with its schema; `path` is the position of the block, such as `target.`."""
    given = fields(written)
    blocks = {name: value for name, value in given.items() if is_block(value)}
    for dynamic in blocks.pop("dynamic", []):
        for name, inner in fields(dynamic).items():
            blocks.setdefault(name.strip('"'), []).extend(inner["content"])
    values = {name: value for name, value in given.items() if not is_block(value)}
    if not path:
        values = {name: value for name, value in values.items() if name not in META_ARGUMENTS}
        blocks = {name: value for name, value in blocks.items() if name not in META_BLOCKS}
    for name, value in values.items():
        if name in schema.blocks:
            yield f"{path}{name} is a block, and is written as an argument"
        elif name not in schema.arguments:
            yield f"{path}{name} is no argument of it"
        elif (takes := schema.arguments[name]) != "value" and is_text(value):
            yield f"{path}{name} is a text, and must be a {takes}"
    for name, several in blocks.items():
        if name not in schema.blocks:
            yield f"{path}{name} is no block of it"
            continue
        for inner in several:
            yield from body(schema.blocks[name], inner, f"{path}{name}.")
    for name in sorted(schema.required - set(values) - set(blocks)):
        yield f"{path}{name} is missing"


def is_text(value: Any) -> bool:
    """Returns whether a value is a string, whatever its interpolations evaluate to."""
    return isinstance(value, str) and value.startswith('"')


def unused(module: Module, _: Provider) -> Iterator[str]:
    """Yields what is declared and never read."""
    texts = [text for section in module.sections if section.kind != "variable" for text in expressions(section.body)]
    read = {name for text in texts for name in NAMED.findall(text)}
    for section in module.of("variable"):
        if ("var", section.labels[0]) not in read:
            yield at(section, "nothing reads it")
    for name in sorted(module.locals()):
        if ("local", name) not in read:
            yield f"{module.folder}: local.{name}: nothing reads it"
    for section in module.of("data"):
        if not any(".".join(("data", *section.labels)) in text for text in texts):
            yield at(section, "nothing reads it")


def documented(module: Module, _: Provider) -> Iterator[str]:
    """Yields variables and outputs without a description."""
    for section in [*module.of("variable"), *module.of("output")]:
        if "description" not in section.body:
            yield at(section, "it has no description")
        if section.kind == "variable" and "type" not in section.body:
            yield at(section, "it has no type")


Rule = Callable[[Module, Provider], Iterator[str]]
RULES: list[Rule] = [arguments, unused, documented]


def findings(folder: Path, provider: Provider) -> list[str]:
    """Yields the findings of all rules in the module in `folder`."""
    module = load(folder)
    if not module.sections:
        return [f"{folder}: there is nothing in it"]
    return [finding for rule in RULES for finding in rule(module, provider)]


def at(section: Section, what: str) -> str:
    """Returns a finding in a section."""
    return f"{section.file}: {section}: {what}"
