"""Checks a request's parameters against AWS's own model of the operation: lengths, ranges, patterns and enumerations.

The client library has the models, and checks only types and missing parameters.
"""

from functools import cache
from typing import Any, Iterator

import regex
from botocore.model import OperationModel, Shape


def faults(operation: OperationModel, parameters: dict[str, Any]) -> list[str]:
    """Returns what the model forbids in the parameters of a request."""
    if operation.input_shape is None:
        return []
    return [f"{operation.name}: {fault}" for fault in walk(operation.input_shape, parameters, "")]


def walk(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Yields the faults of a value, and of the values in it."""
    yield from limits(shape, value, path)
    if shape.type_name == "structure":
        for name, inner in value.items():
            if name in shape.members:
                yield from walk(shape.members[name], inner, f"{path}.{name}".lstrip("."))
    elif shape.type_name == "list":
        for index, inner in enumerate(value):
            yield from walk(shape.member, inner, f"{path}[{index}]")
    elif shape.type_name == "map":
        for name, inner in value.items():
            yield from walk(shape.key, name, f"{path}[{name}]")
            yield from walk(shape.value, inner, f"{path}[{name}]")


def limits(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Yields the limits that a value exceeds."""
    size = len(value) if hasattr(value, "__len__") else value
    if isinstance(size, (int, float)) and not isinstance(value, bool):
        if size < shape.metadata.get("min", size):
            yield f"{path} is below the minimum of {shape.metadata['min']}: {value!r}"
        if size > shape.metadata.get("max", size):
            yield f"{path} is above the maximum of {shape.metadata['max']}: {value!r}"
    if isinstance(value, str):
        if (allowed := getattr(shape, "enum", [])) and value not in allowed:
            yield f"{path} is none of {', '.join(allowed)}: {value!r}"
        pattern = compiled(shape.metadata.get("pattern", ".*"))
        if pattern is not None and not pattern.fullmatch(value):
            yield f"{path} does not match {shape.metadata['pattern']}: {value!r}"


@cache
def compiled(pattern: str) -> regex.Pattern | None:
    """Returns a pattern of the models. Few have an expression that is not understood here."""
    try:
        return regex.compile(pattern, regex.DOTALL)
    except regex.error:
        return None
