"""The contract, and our OpenAPI document as the service makes it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from profile_lookup.app import create_app
from profile_lookup.settings import load_settings

Json = dict[str, Any]


class Operation(NamedTuple):
    method: str
    path: str
    spoken: Json
    """What the document says of it."""
    parameters: dict[tuple[str, str], Json]
    """By place and name."""

    @property
    def id(self) -> str:
        operation_id: str = self.spoken["operationId"]
        return operation_id


@cache
def contract() -> Json:
    """With its references resolved."""
    document = yaml.safe_load((Path(__file__).parent / "memory-v1-identity.yaml").read_text())
    resolved: Json = _resolved(document, document)
    return resolved


@cache
def our_openapi() -> Json:
    """As `/openapi.json` gives it, which needs no database."""
    return create_app(load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing")).openapi()


@cache
def ours() -> Json:
    """With its references resolved."""
    resolved: Json = _resolved(our_openapi(), our_openapi())
    return resolved


def operations(document: Json) -> dict[str, Operation]:
    """Of a resolved document, by ID, in its order."""
    return {operation.id: operation for operation in _operations(document)}


def _operations(document: Json) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, spoken in item.items():
            if method == "parameters":
                continue
            parameters = [*item.get("parameters", ()), *spoken.get("parameters", ())]
            yield Operation(method, path, spoken, {(each["in"], each["name"]): each for each in parameters})


def _resolved(node: Any, document: Json) -> Any:
    """With what every `$ref` refers to in its place; what stands beside a `$ref` is added to it."""
    if isinstance(node, list):
        return [_resolved(each, document) for each in node]
    if not isinstance(node, dict):
        return node
    found = {name: _resolved(each, document) for name, each in node.items() if name != "$ref"}
    if isinstance(reference := node.get("$ref"), str):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        found = _resolved(target, document) | found
    return found
