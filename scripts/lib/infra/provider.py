"""The AWS provider's schema, read from the types of npm's @cdktf/provider-aws.

The provider itself comes from Terraform's registry, which cannot be reached from everywhere. The package of types comes
from npm and is generated from the same schema. CI checks the rest with the provider.
"""

import json
import re
import tarfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

# A field: its documentation, which has the name in Terraform, then its name in TypeScript and its type.
FIELD = re.compile(
    r"/\*\*(?P<text>(?:(?!\*/).)*)\*/\s*readonly (?P<name>\w+)(?P<optional>\??): (?P<type>[^;]*(?:\{[^}]*\})?);", re.S
)
INTERFACE = re.compile(r"^export interface (\w+)(?: extends [\w.]+)? \{\n(.*?)^\}", re.S | re.M)
TERRAFORM_NAME = re.compile(r"#(\w+) \w+#\1\}")
# The class of the resource itself, with the attributes that can be read.
RESOURCE_CLASS = re.compile(
    r"^export declare class \w+ extends cdktf\.Terraform(?:Resource|DataSource) \{\n(.*?)^\}", re.S | re.M
)
GETTER = re.compile(r"^    get (\w+)\(\): (.*)", re.M)


@dataclass
class Block:
    """The optional and required contents of a block: a resource, or a block in it."""

    # The arguments, and the kind of value of each: "value", "list" or "map".
    arguments: dict[str, str] = field(default_factory=dict)
    # The type of each, in Terraform's JSON.
    types: dict[str, Any] = field(default_factory=dict)
    blocks: dict[str, "Block"] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)


@dataclass
class Resource:
    """A resource or a data source: its arguments and its attributes."""

    body: Block
    attributes: set[str]
    # The type of each attribute, in Terraform's JSON.
    types: dict[str, Any] = field(default_factory=dict)


class Provider:
    """The provider's resources and data sources, each parsed when it is asked for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.parsed: dict[str, Resource | None] = {}

    @cached_property
    def version(self) -> str:
        """Returns the version of the provider, not of the package."""
        package = json.loads((self.folder / "package.json").read_text())
        return package["cdktf"]["provider"]["version"]

    def find(self, kind: str, name: str) -> Resource | None:
        """Returns the `resource` or `data` source with this `name`, such as aws_sqs_queue."""
        module = name.removeprefix("aws_").replace("_", "-")
        module = f"data-aws-{module}" if kind == "data" else module
        if module not in self.parsed:
            file = self.folder / "lib" / module / "index.d.ts"
            self.parsed[module] = parse(file.read_text()) if file.exists() else None
        return self.parsed[module]


def parse(text: str) -> Resource:
    """Reads the types of one resource."""
    interfaces = {match[1]: match[2] for match in INTERFACE.finditer(text)}
    config = next(name for name in interfaces if f"interface {name} extends" in text)
    getters = dict(GETTER.findall(RESOURCE_CLASS.search(text)[1]))
    # Each input has its own getter, which does not exist in Terraform.
    own = {name for name in getters if name.removesuffix("Input") not in getters.keys() - {name}}
    attributes = {snake(name) for name in own}
    body = block(interfaces, config)
    # The generator adds `id` to every resource, but no resource used here accepts it.
    body.arguments.pop("id", None)
    body.types.pop("id", None)
    types = {snake(name): terraform_type(getters[name]) for name in own}
    return Resource(body, attributes | {"id"}, types | {"id": "string"})


def block(interfaces: dict[str, str], name: str) -> Block:
    """Reads one interface, and those that it refers to."""
    found = Block()
    for match in FIELD.finditer(interfaces[name]):
        documented = TERRAFORM_NAME.search(match["text"])
        argument = documented[1] if documented else snake(match["name"])
        inner = re.match(r"\w+", match["type"])[0] if match["type"][0].isupper() else ""
        if inner in interfaces and f"{argument} block" in match["text"]:
            found.blocks[argument] = block(interfaces, inner)
        else:
            found.arguments[argument] = shape(match["type"])
            found.types[argument] = terraform_type(match["type"])
        if not match["optional"]:
            found.required.add(argument)
    return found


def shape(typed: str) -> str:
    """Returns what a type is in the configuration."""
    if "[]" in typed:
        return "list"
    return "map" if typed.startswith("{") else "value"


def terraform_type(typed: str) -> Any:
    """Returns a type in Terraform's JSON. What the types do not tell is `dynamic`."""
    words = {"string": "string", "number": "number", "boolean": "bool", "cdktf.IResolvable": "bool"}
    if match := re.match(r"(\w+)\[\]", typed):
        return ["list", words[match[1]]] if match[1] in words else "dynamic"
    if typed.startswith("{") or typed.startswith("cdktf.StringMap"):
        inner = re.search(r"\]: (\w+)", typed)
        return ["map", words.get(inner[1] if inner else "string", "string")]
    return words.get(re.match(r"[\w.]*", typed)[0], "dynamic")


def snake(name: str) -> str:
    """Returns a name in Terraform's spelling."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def unpack(package: Path, folder: Path) -> None:
    """Extracts the types from the npm package: a tenth of its files."""
    with tarfile.open(package) as archive:
        for member in archive:
            name = member.name.removeprefix("package/")
            if name == "package.json" or name.endswith("/index.d.ts"):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.extractfile(member).read())
