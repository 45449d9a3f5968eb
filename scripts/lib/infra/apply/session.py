"""Sends requests to the emulator, checks each against AWS's model, and counts what was sent, made and read back."""

import json
import threading
from collections import Counter, defaultdict
from typing import Any, Iterator

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import shapes


class Refused(Exception):
    """A request that must not be sent, or something that was not stored as it was asked for."""


class Session:
    """A connection to the emulator."""

    def __init__(self, url: str):
        self.url = url
        self.clients: dict[tuple[str, str], Any] = {}
        self.lock = threading.Lock()
        # Requests by operation, resources by type, and what the emulator does not store, by operation.
        self.sent: Counter[str] = Counter()
        self.made: Counter[str] = Counter()
        self.compared: Counter[str] = Counter()
        self.unchecked: defaultdict[str, set[str]] = defaultdict(set)

    def client(self, service: str, region: str) -> Any:
        """Returns the client of a service."""
        with self.lock:
            if (service, region) not in self.clients:
                self.clients[service, region] = boto3.client(
                    service,
                    region_name=region,
                    endpoint_url=self.url,
                    aws_access_key_id="terraform",
                    aws_secret_access_key="terraform",
                    config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
                )
            return self.clients[service, region]


class Resource:
    """One resource while it is created: its requests, and what is compared."""

    def __init__(self, session: Session, provider: dict[str, Any], kind: str):
        self.session = session
        self.kind = kind
        self.region = provider["region"]
        self.default_tags = next((block["tags"] or {} for block in provider["default_tags"]), {})

    def tags(self, this: dict[str, Any]) -> dict[str, str]:
        """Returns the tags of the provider with those of the resource."""
        return self.default_tags | (this.get("tags") or {})

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Sends a request, without the parameters that are not given."""
        client = self.session.client(service, self.region)
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
        asked = given(parameters)
        if found := shapes.faults(model, asked):
            raise Refused("; ".join(found))
        with self.session.lock:
            self.session.sent[f"{service}:{model.name}"] += 1
        return getattr(client, operation)(**asked)

    def call_unless_missing(self, service: str, operation: str, **parameters: Any) -> bool:
        """Sends a request that the emulator may not have. Then only AWS's model was checked, which is reported."""
        try:
            self.call(service, operation, **parameters)
            return True
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (404, 501):
                raise
            self.unchecked(f"{service}:{operation}")
            return False

    def unchecked(self, *what: str) -> None:
        """Records what the emulator does not tell."""
        if what:
            with self.session.lock:
                self.session.unchecked[self.kind].update(what)

    def expect(self, asked: dict[str, Any], stored: dict[str, Any], but: tuple[str, ...] = ()) -> None:
        """Fails where something else was stored than was asked for, except in fields that the emulator ignores."""
        self.unchecked(*(name for name in but if name in given(asked)))
        found = list(differences({name: value for name, value in asked.items() if name not in but}, stored, ""))
        if found:
            raise Refused("; ".join(found))
        with self.session.lock:
            self.session.compared[self.kind] += 1


def given(value: Any) -> Any:
    """Returns a value without what is null, or a block without contents."""
    if isinstance(value, dict):
        kept = {name: given(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner is not None and inner != {}}
    if isinstance(value, list):
        return [given(inner) for inner in value]
    return value


def differences(asked: Any, stored: Any, path: str) -> Iterator[str]:
    """Yields where a stored value lacks what was asked for. More may be stored than was asked for."""
    asked, stored = parsed(asked), parsed(stored)
    if isinstance(asked, dict) and isinstance(stored, dict):
        for name, value in given(asked).items():
            yield from differences(value, stored.get(name), f"{path}.{name}".lstrip("."))
    elif isinstance(asked, list) and isinstance(stored, list) and len(asked) == len(stored):
        if all(isinstance(value, str) for value in [*asked, *stored]):
            asked, stored = sorted(asked), sorted(stored)
        for index, (value, other) in enumerate(zip(asked, stored, strict=True)):
            yield from differences(value, other, f"{path}[{index}]")
    elif asked != stored and str(asked) != str(stored):
        yield f"{path} is {stored!r}, and should be {asked!r}"


def parsed(value: Any) -> Any:
    """Returns the value of a text in JSON."""
    if isinstance(value, str) and value[:1] in "{[" and value:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
