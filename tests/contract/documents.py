"""The contract, and the OpenAPI document that the service generates."""

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
    description: Json
    """The operation object of the document."""
    parameters: dict[tuple[str, str], Json]
    """The parameters by place and name."""

    @property
    def id(self) -> str:
        operation_id: str = self.description["operationId"]
        return operation_id


@cache
def contract() -> Json:
    """Return the contract with its references resolved."""
    document = yaml.safe_load((Path(__file__).parent / "memory-v1-identity.yaml").read_text())
    resolved: Json = _resolved(document, document)
    return resolved


@cache
def our_openapi() -> Json:
    """Return our document as `/openapi.json` answers it. That needs no database."""
    return create_app(load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing")).openapi()


@cache
def ours() -> Json:
    """Return our document with its references resolved."""
    resolved: Json = _resolved(our_openapi(), our_openapi())
    return resolved


def operations(document: Json) -> dict[str, Operation]:
    """Return the operations of a resolved document by ID, in the order of the document."""
    return {operation.id: operation for operation in _operations(document)}


def json_media(body: Json) -> Json:
    """Return the only media type of a body, which must be JSON."""
    (media_type,) = body["content"]
    assert media_type == "application/json"
    media: Json = body["content"][media_type]
    return media


def _operations(document: Json) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, description in item.items():
            if method == "parameters":
                continue
            parameters = [*item.get("parameters", ()), *description.get("parameters", ())]
            yield Operation(method, path, description, {(each["in"], each["name"]): each for each in parameters})


def _resolved(node: Any, document: Json) -> Any:
    """Return the node with each `$ref` replaced by its target. Keywords beside a `$ref` are added to the target."""
    if isinstance(node, list):
        return [_resolved(each, document) for each in node]
    if not isinstance(node, dict):
        return node
    resolved_node = {name: _resolved(each, document) for name, each in node.items() if name != "$ref"}
    if isinstance(reference := node.get("$ref"), str):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        resolved_node = _resolved(target, document) | resolved_node
    return resolved_node
