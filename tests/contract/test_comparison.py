"""The comparison finds real differences. Otherwise our document would seem to conform whatever it says."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.comparison import answer_differences, request_differences

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["kind"],
    "additionalProperties": False,
    "properties": {
        "kind": {"enum": ["a", "b"]},
        "text": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^x", "default": "x"},
        "list": {"type": "array", "maxItems": 3, "items": {"type": "integer", "minimum": 1}},
        "map": {"type": "object", "additionalProperties": {"type": "boolean"}},
        "rule": {"oneOf": [{"type": "object", "properties": {"of": {"const": 1}}}]},
    },
}


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema["required"].clear(),
        lambda schema: schema.pop("additionalProperties"),
        lambda schema: schema["properties"].update(other={}),
        lambda schema: schema["properties"].pop("text"),
        lambda schema: schema["properties"]["kind"]["enum"].append("c"),
        lambda schema: schema["properties"]["text"].update(minLength=0),
        lambda schema: schema["properties"]["text"].pop("maxLength"),
        lambda schema: schema["properties"]["text"].update(pattern="x"),
        lambda schema: schema["properties"]["text"].update(type=["string", "null"]),
        lambda schema: schema["properties"]["list"].update(items={}),
        lambda schema: schema["properties"]["list"]["items"].update(type="number"),
        lambda schema: schema["properties"]["map"].update(additionalProperties={}),
        lambda schema: schema["properties"]["rule"]["oneOf"].append({"type": "null"}),
        lambda schema: schema["properties"]["rule"]["oneOf"][0]["properties"]["of"].update(const=2),
    ],
)
def test_a_looser_schema_is_a_difference_in_requests_and_in_answers(change: Callable[[dict[str, Any]], object]) -> None:
    changed = copy.deepcopy(SCHEMA)
    change(changed)
    assert list(request_differences(SCHEMA, changed, ""))
    assert list(answer_differences(SCHEMA, changed, ""))


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema["required"].append("text"),
        lambda schema: schema["properties"]["text"].update(maxLength=8),
        lambda schema: schema["properties"]["text"].update(format="uri"),
        lambda schema: schema["properties"]["text"].pop("default"),
        lambda schema: schema["properties"]["map"].update(maxProperties=1),
    ],
)
def test_a_stricter_schema_is_a_difference_only_in_requests(change: Callable[[dict[str, Any]], object]) -> None:
    changed = copy.deepcopy(SCHEMA)
    change(changed)
    assert list(request_differences(SCHEMA, changed, ""))
    assert not list(answer_differences(SCHEMA, changed, ""))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"type": ["string", "null"]}, {"anyOf": [{"type": "null"}, {"type": "string", "title": "Text"}]}),
        ({"enum": [1]}, {"type": "integer", "enum": [1], "description": "one"}),
        ({"type": "object"}, {"type": "object", "additionalProperties": True}),
        ({"minimum": 1}, {"minimum": 1.0}),
        (
            {"properties": {"a": {}, "b": {}}, "required": ["a", "b"]},
            {"allOf": [{"properties": {"a": {}}, "required": ["a"]}], "properties": {"b": {}}, "required": ["b"]},
        ),
    ],
)
def test_another_notation_is_no_difference(one: dict[str, Any], other: dict[str, Any]) -> None:
    for contract, ours in ((one, other), (other, one)):
        assert not list(request_differences(contract, ours, ""))
        assert not list(answer_differences(contract, ours, ""))
