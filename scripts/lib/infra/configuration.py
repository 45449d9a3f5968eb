"""Parses Terraform files into plain data. A folder of them is a module."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Iterator

import hcl2
from hcl2.utils import SerializationOptions

PLAIN = SerializationOptions(with_comments=False)

# Where strings and the interpolations in them begin and end.
MARK = re.compile(r'\\.|\$\$\{|%%\{|[$%]\{|[{}"]', re.S)


@dataclass
class Section:
    """A block at the top of a file, with its labels: resource "aws_sqs_queue" "this"."""

    file: Path
    kind: str
    labels: tuple[str, ...]
    body: dict[str, Any]

    def __str__(self) -> str:
        return ".".join((self.kind, *self.labels) if self.kind != "resource" else self.labels)


@dataclass
class Module:
    """All sections of a folder."""

    folder: Path
    sections: list[Section] = field(default_factory=list)

    def of(self, kind: str) -> Iterator[Section]:
        """Returns the sections of a kind."""
        return (section for section in self.sections if section.kind == kind)

    def find(self, kind: str, *labels: str) -> Section | None:
        """Returns the section with these labels."""
        return next((section for section in self.of(kind) if section.labels == labels), None)

    def names(self, kind: str) -> set[str]:
        """Returns the last labels of the sections of a kind."""
        return {section.labels[-1] for section in self.of(kind)}

    def locals(self) -> set[str]:
        """Returns the names of local values."""
        return {name for section in self.of("locals") for name in fields(section.body)}


@cache
def load(folder: Path) -> Module:
    """Reads the files of a folder. A file that is not Terraform raises an error that names it."""
    module = Module(folder)
    for file in sorted(folder.glob("*.tf")):
        try:
            content = hcl2.loads(file.read_text(), serialization_options=PLAIN)
        except Exception as error:
            raise SystemExit(f"{file}: cannot be read: {error}") from error
        for kind, blocks in content.items():
            for body in blocks if isinstance(blocks, list) else []:
                module.sections.extend(unlabel(file, kind, (), body))
    return module


def unlabel(file: Path, kind: str, labels: tuple[str, ...], body: dict[str, Any]) -> Iterator[Section]:
    """Removes the labels, which the parser wraps around a block's body as quoted keys."""
    if body.get("__is_block__"):
        yield Section(file, kind, labels, body)
        return
    for label, inner in body.items():
        yield from unlabel(file, kind, (*labels, label.strip('"')), inner)


def fields(body: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments and blocks of a body, without the parser's own keys."""
    return {name: value for name, value in body.items() if not name.startswith("__")}


def is_block(value: Any) -> bool:
    """Returns whether a field of a body is one or more blocks, with or without labels."""
    if isinstance(value, list):
        return any(is_block(item) for item in value if isinstance(item, dict))
    return isinstance(value, dict) and (value.get("__is_block__") or any(is_block(inner) for inner in value.values()))


def expressions(value: Any) -> Iterator[str]:
    """Yields everything that is evaluated in a value, at any depth, without literals."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not name.startswith("__"):
                yield from expressions(name)
                yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)
    elif isinstance(value, str) and "${" in value:
        yield without_texts(value)


def without_texts(expression: str) -> str:
    """Removes the strings of an expression, which may look like names, but keeps their interpolations."""
    kept, inside, last = [], [], 0
    for mark in MARK.finditer(expression):
        in_text = bool(inside) and inside[-1] == '"'
        if not in_text:
            kept.append(expression[last : mark.start()] + " ")
        last = mark.end()
        if mark[0] == '"':
            inside.pop() if in_text else inside.append('"')
        elif mark[0] == "}" and inside and not in_text:
            inside.pop()
        elif mark[0] in ("${", "%{") or (mark[0] == "{" and not in_text):
            inside.append("{")
    return "".join(kept) + expression[last:]
