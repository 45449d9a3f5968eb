"""A provider for Terraform that has the AWS provider's arguments, and creates what it is told through kinds.py.

Terraform plans and applies the unchanged files of infra/ with it. It is attached to Terraform while it runs, because
only then does Terraform not ask a registry for it.
"""

import json
import os
from concurrent import futures
from typing import Any

import grpc
import msgpack
from tf.gen import tfplugin_pb2 as protocol
from tf.gen import tfplugin_pb2_grpc as services

from documents import DATA_SOURCES
from provider import Block, Provider, Resource

# How Terraform writes a value that is known after the apply.
UNKNOWN = msgpack.ExtType(0, b"\0")

# The arguments of the provider that infra/ sets.
PROVIDER = Block(types={"region": "string"}, blocks={"default_tags": Block(types={"tags": ["map", "string"]})})


class Servicer(services.ProviderServicer):
    """Serves Terraform. `create` takes the provider's settings, a type and its arguments, and returns attributes."""

    def __init__(self, types: Provider, wanted: set[tuple[str, str]], create: Any):
        self.create = create
        self.resources: dict[tuple[str, str], Resource] = {}
        for kind, name in sorted(wanted):
            if (found := types.find(kind, name)) is None:
                raise SystemExit(f"the provider {types.version} has no {kind} {name}")
            self.resources[kind, name] = found
        # Each provider block is a connection of its own.
        self.configurations: dict[str, dict[str, Any]] = {}

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        schemas = {of: {name: schema(found) for (kind, name), found in self.resources.items() if kind == of}
                   for of in ("resource", "data")}  # fmt: skip
        return protocol.GetProviderSchema.Response(
            provider=protocol.Schema(block=written(PROVIDER)),
            resource_schemas=schemas["resource"],
            data_source_schemas=schemas["data"],
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return protocol.ValidateProviderConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        self.configurations[context.peer()] = decode(request.config)
        return protocol.ConfigureProvider.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        return protocol.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return protocol.ValidateDataResourceConfig.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        return protocol.UpgradeResourceState.Response(upgraded_state=encode(json.loads(request.raw_state.json)))

    def ReadResource(self, request: Any, context: Any) -> Any:
        return protocol.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        planned = decode(request.proposed_new_state)
        if planned is not None and decode(request.prior_state) is None:
            found = self.resources["resource", request.type_name]
            for name in found.types.keys() - found.body.types.keys() - found.body.blocks.keys():
                planned[name] = UNKNOWN
        return protocol.PlanResourceChange.Response(planned_state=encode(planned), legacy_type_system=True)

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        planned = known(decode(request.planned_state))
        response = protocol.ApplyResourceChange.Response
        try:
            made = self.create(self.configurations[context.peer()], request.type_name, planned)
        except Exception as error:  # pylint: disable=broad-except
            return response(new_state=request.prior_state, diagnostics=[refusal(error)], legacy_type_system=True)
        return response(new_state=encode(planned | made), legacy_type_system=True)

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        config = decode(request.config)
        try:
            read = DATA_SOURCES[request.type_name](self.configurations[context.peer()], config)
        except Exception as error:  # pylint: disable=broad-except
            return protocol.ReadDataSource.Response(diagnostics=[refusal(error)])
        return protocol.ReadDataSource.Response(state=encode(config | read))

    def StopProvider(self, request: Any, context: Any) -> Any:
        return protocol.StopProvider.Response()


def refusal(error: Exception) -> Any:
    """Returns an error as Terraform prints it."""
    return protocol.Diagnostic(severity=protocol.Diagnostic.ERROR, summary=f"{type(error).__name__}: {error}")


def schema(found: Resource) -> Any:
    """Returns the schema of a resource or data source."""
    block = written(found.body)
    for name in sorted(found.types.keys() - found.body.types.keys() - found.body.blocks.keys()):
        kind = json.dumps(found.types[name]).encode()
        block.attributes.append(protocol.Schema.Attribute(name=name, type=kind, computed=True))
    return protocol.Schema(block=block)


def written(block: Block) -> Any:
    """Returns the schema of a block. Every block is a list, as in the provider's states."""
    attributes = [
        protocol.Schema.Attribute(
            name=name,
            type=json.dumps(kind).encode(),
            required=name in block.required,
            optional=name not in block.required,
        )
        for name, kind in sorted(block.types.items())
    ]
    nested = [
        protocol.Schema.NestedBlock(type_name=name, block=written(inner), nesting=protocol.Schema.NestedBlock.LIST)
        for name, inner in sorted(block.blocks.items())
    ]
    return protocol.Schema.Block(attributes=attributes, block_types=nested)


def decode(value: Any) -> Any:
    """Returns a value from Terraform. Every unknown value is UNKNOWN, whatever is known about it."""
    return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False, ext_hook=lambda *_: UNKNOWN)


def encode(value: Any) -> Any:
    """Returns a value for Terraform."""
    return protocol.DynamicValue(msgpack=msgpack.packb(value))


def known(value: Any) -> Any:
    """Returns a value without what is not known yet."""
    if isinstance(value, dict):
        return {name: known(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [known(inner) for inner in value]
    return None if value == UNKNOWN else value


def serve(servicer: Servicer) -> tuple[grpc.Server, dict[str, str]]:
    """Starts to serve. Returns the server, and the environment in which Terraform finds it."""
    # Terraform itself sends ten requests at once.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    services.add_ProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    address = {"Network": "tcp", "String": f"127.0.0.1:{port}"}
    attached = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": address}
    return server, {"TF_REATTACH_PROVIDERS": json.dumps({"hashicorp/aws": attached})}
