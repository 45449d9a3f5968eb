"""What is wrong with a module: each rule answers findings as "FILE: SECTION: what"."""

import re
from pathlib import Path
from typing import Any, Callable, Iterator

from configuration import Module, Section, expressions, fields, is_block, load
from provider import Block, Provider

# Terraform's own, which no provider lists.
META_ARGUMENTS = {"count", "depends_on", "for_each", "provider"}
META_BLOCKS = {"connection", "lifecycle", "provisioner"}
MODULE_ARGUMENTS = {"source", "version", "providers", "count", "for_each", "depends_on"}

# Not behind a dot, which makes it a part of something else.
START = r"(?<![\w.])"
NAMED = re.compile(START + r"(var|local)\.(\w+)")
OUTPUT = re.compile(START + r"module\.(\w+)(?:\.(\w+))?")
ATTRIBUTE = re.compile(START + r"(data\.)?(aws_\w+)\.(\w+)(?:\[[^\]]*\])?(?:\.(\w+))?")

# A module or a resource as a value, and the fields of an object's type that are not optional.
WHOLE = re.compile(r"\$\{(module|aws_\w+)\.(\w+)\}")
ASKED = re.compile(r"(\w+)\s*=\s*(?!optional)\w")


def arguments(module: Module, provider: Provider) -> Iterator[str]:
    """Arguments and blocks that the provider does not know, and those that it misses."""
    for section in [*module.of("resource"), *module.of("data")]:
        resource = provider.find(section.kind, section.labels[0])
        if resource is None:
            yield at(section, f"the provider {provider.version} has no {section.kind} {section.labels[0]}")
        else:
            yield from (at(section, what) for what in body(resource.body, section.body, ""))


def body(schema: Block, written: dict[str, Any], path: str) -> Iterator[str]:
    """Compares what is written in a block with what may be; `path` is where that is, as in `target.`."""
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
    """Whether a value is a text whatever is evaluated in it."""
    return isinstance(value, str) and value.startswith('"')


def calls(module: Module, _: Provider) -> Iterator[str]:
    """Calls of modules that do not fit the variables of the module."""
    for section in module.of("module"):
        called = child(module, section)
        given = set(fields(section.body)) - MODULE_ARGUMENTS
        known = {variable.labels[0]: fields(variable.body) for variable in called.of("variable")}
        for name in sorted(given - set(known)):
            yield at(section, f"{name} is no variable of {called.folder.name}")
        for name in sorted(name for name, variable in known.items() if "default" not in variable and name not in given):
            yield at(section, f"{name} is missing")


def objects(module: Module, provider: Provider) -> Iterator[str]:
    """Modules and resources that are handed over as a whole, and lack a field that the variable's type asks for."""
    for section in module.of("module"):
        variables = child(module, section).of("variable")
        types = {variable.labels[0]: variable.body.get("type", "") for variable in variables}
        for name, value in fields(section.body).items():
            handed = WHOLE.fullmatch(value) if isinstance(value, str) else None
            if handed is None or not types.get(name, "").startswith("${object("):
                continue
            has = readable(module, provider, handed[1], handed[2])
            for asked in sorted(set(ASKED.findall(types[name])) - has):
                yield at(section, f"{name}: {handed[1]}.{handed[2]} has no {asked}")


def readable(module: Module, provider: Provider, kind: str, name: str) -> set[str]:
    """What can be read of a module, or of a resource of a kind."""
    if kind == "module":
        call = module.find("module", name)
        return child(module, call).names("output") if call else set()
    resource = provider.find("resource", kind)
    return resource.attributes if resource else set()


def references(module: Module, provider: Provider) -> Iterator[str]:
    """Names that nothing has, and attributes that are not there."""
    known = {"var": module.names("variable"), "local": module.locals()}
    for section in module.sections:
        for text in expressions(section.body):
            for kind, name in NAMED.findall(text):
                if name not in known[kind]:
                    yield at(section, f"there is no {kind}.{name}")
            for name, output in OUTPUT.findall(text):
                call = module.find("module", name)
                if call is None:
                    yield at(section, f"there is no module.{name}")
                elif output and output not in child(module, call).names("output"):
                    yield at(section, f"module.{name} has no output {output}")
            for match in ATTRIBUTE.finditer(text):
                yield from (at(section, what) for what in attribute(module, provider, match))


def attribute(module: Module, provider: Provider, match: re.Match[str]) -> Iterator[str]:
    """What is wrong with a resource that is named in an expression."""
    kind = "data" if match[1] else "resource"
    if module.find(kind, match[2], match[3]) is None:
        yield f"there is no {kind} {match[2]}.{match[3]}"
        return
    resource = provider.find(kind, match[2])
    if resource is not None and match[4] and match[4] not in resource.attributes:
        yield f"{match[2]} has no attribute {match[4]}"


def unused(module: Module, _: Provider) -> Iterator[str]:
    """What is declared and never read."""
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
    """Variables and outputs that do not say what they are."""
    for section in [*module.of("variable"), *module.of("output")]:
        if "description" not in section.body:
            yield at(section, "it has no description")
        if section.kind == "variable" and "type" not in section.body:
            yield at(section, "it has no type")


Rule = Callable[[Module, Provider], Iterator[str]]
RULES: list[Rule] = [arguments, calls, objects, references, unused, documented]


def findings(folder: Path, provider: Provider) -> list[str]:
    """What all rules say of the module in `folder`."""
    module = load(folder)
    if not module.sections:
        return [f"{folder}: there is nothing in it"]
    return [finding for rule in RULES for finding in rule(module, provider)]


def child(module: Module, call: Section) -> Module:
    """The module that is called, which lies in a folder below the caller's."""
    return load(module.folder / call.body["source"].strip('"'))


def at(section: Section, what: str) -> str:
    """A finding in a section."""
    return f"{section.file}: {section}: {what}"
