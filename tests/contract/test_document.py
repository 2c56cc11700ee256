"""Our OpenAPI document is complete: readers, linters and generators of clients find in it what they need."""

from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from profile_lookup.app import create_app
from profile_lookup.settings import load_settings
from tests.contract.comparison import fields_only_ours
from tests.contract.documents import Json, Operation, contract, json_media, operations, our_openapi, ours

CONTRACT = operations(contract())
OURS = operations(ours())
IN_A_COMMENT = {"FetchTraitGroup": [("query", "pageSize")]}
"""Parameters that the contract names in a comment alone."""


def test_the_document_fulfills_the_standard() -> None:
    OpenAPIV31SpecValidator(our_openapi()).validate()


@pytest.mark.parametrize("public_url", [None, "https://identity.example/api"])
def test_the_server_is_the_public_url_or_the_origin_of_the_document(public_url: str | None) -> None:
    settings = load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing", public_url=public_url)
    assert create_app(settings).openapi()["servers"] == [{"url": public_url or "/"}]


@pytest.mark.parametrize("operation_id", OURS)
def test_exactly_what_the_contract_does_not_have_is_marked_as_ours(operation_id: str) -> None:
    own, theirs = OURS[operation_id], CONTRACT.get(operation_id)
    assert own.description.get("x-ours", False) == (operation_id not in CONTRACT)
    known = {*theirs.parameters, *IN_A_COMMENT.get(operation_id, ())} if theirs else set()
    parameters_only_ours = own.parameters.keys() - known
    for key, parameter in own.parameters.items():
        assert parameter.get("x-ours", False) == (key in parameters_only_ours), key
    if theirs is not None:
        only_ours = dict(_fields_only_ours(theirs, own))
        assert [place for place, schema in only_ours.items() if "x-ours" not in schema] == []
        assert len(list(_marks(own.description))) == len(only_ours) + len(parameters_only_ours)


def test_nothing_in_the_document_defaults_to_null() -> None:
    assert not list(_null_defaults(our_openapi(), "#"))


def test_no_schema_has_a_title_that_only_repeats_its_name() -> None:
    assert not list(_titles([our_openapi()["paths"], our_openapi()["components"]["schemas"]]))


def _fields_only_ours(theirs: Operation, own: Operation) -> Iterator[tuple[str, Json]]:
    if "requestBody" in theirs.description:
        sent, ours_of_it = theirs.description["requestBody"], own.description["requestBody"]
        yield from fields_only_ours(json_media(sent)["schema"], json_media(ours_of_it)["schema"], "request")
    answers = own.description["responses"]
    for status, response in theirs.description["responses"].items():
        if status in answers:
            yield from fields_only_ours(json_media(response)["schema"], json_media(answers[status])["schema"], status)


def _marks(node: Any) -> Iterator[Json]:
    """Yield everything that is marked as ours."""
    if isinstance(node, dict):
        if "x-ours" in node:
            yield node
        for each in node.values():
            yield from _marks(each)
    elif isinstance(node, list):
        for each in node:
            yield from _marks(each)


def _titles(node: Any) -> Iterator[str]:
    """Yield every title, except in examples."""
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            yield node["title"]
        for name, each in node.items():
            if name not in {"example", "examples"}:
                yield from _titles(each)
    elif isinstance(node, list):
        for each in node:
            yield from _titles(each)


def _null_defaults(node: Any, place: str) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("default", ...) is None:
            yield place
        for name, each in node.items():
            yield from _null_defaults(each, f"{place}/{name}")
    elif isinstance(node, list):
        for number, each in enumerate(node):
            yield from _null_defaults(each, f"{place}/{number}")
