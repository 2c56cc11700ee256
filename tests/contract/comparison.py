"""Compares two JSON Schemas by meaning, not by notation. Their references must already be resolved."""

from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
Differences = Callable[[Any, Any, str], Iterator[str]]

ANNOTATIONS = {"title", "description", "example", "examples", "discriminator", "x-ours"}
"""Keywords that restrict nothing."""

_LOWER_BOUNDS = {"minimum", "minLength", "minItems", "minProperties"}
_UPPER_BOUNDS = {"maximum", "maxLength", "maxItems", "maxProperties"}


def request_differences(contract: Any, ours: Any, place: str) -> Iterator[str]:
    """Yield everything that one schema allows and the other does not. `place` is the position in the request."""
    contract, ours = _plain(contract), _plain(ours)
    yield from _in_parts(contract, ours, place, request_differences)
    yield from (f"{place}.{name}: only ours" for name in _properties(ours) if name not in _properties(contract))
    for keyword in sorted(contract.keys() | ours.keys()):
        theirs, own = contract.get(keyword), ours.get(keyword)
        if not _has_parts(keyword, theirs, own) and _unordered(theirs) != _unordered(own):
            yield f"{place}: {keyword}: contract {theirs!r}, ours {own!r}"


def answer_differences(contract: Any, ours: Any, place: str) -> Iterator[str]:
    """Yield everything that ours allows and the contract does not. An answer may be stricter, but never looser."""
    contract, ours = _plain(contract), _plain(ours)
    yield from _in_parts(contract, ours, place, answer_differences)
    if contract.get("additionalProperties") is False:
        yield from (f"{place}.{name}: only ours" for name in _properties(ours) if name not in _properties(contract))
    for keyword, theirs in contract.items():
        own = ours.get(keyword)
        if not _has_parts(keyword, theirs, own) and not _is_as_strict(keyword, theirs, ours):
            yield f"{place}: {keyword}: contract {theirs!r}, ours {own!r}"


def fields_only_ours(contract: Any, ours: Any, place: str) -> Iterator[tuple[str, Json]]:
    """Yield the place and the schema of each field that the contract does not have, but none inside such a field."""
    contract, ours = _plain(contract), _plain(ours)
    covers_any_name = isinstance(contract.get("additionalProperties"), dict)
    for name, own in _properties(ours).items():
        if name in _properties(contract):
            yield from fields_only_ours(_properties(contract)[name], own, f"{place}.{name}")
        elif not covers_any_name:
            yield f"{place}.{name}", own
    for keyword in ("items", "additionalProperties"):
        if _has_parts(keyword, contract.get(keyword), ours.get(keyword)):
            yield from fields_only_ours(contract[keyword], ours[keyword], f"{place}[]")


def _is_as_strict(keyword: str, theirs: Any, ours: Json) -> bool:
    own = ours.get(keyword)
    if keyword == "default":  # an answer contains the value itself
        return True
    if keyword == "required":
        return set(theirs) <= set(own or ())
    if keyword == "maxProperties" and ours.get("additionalProperties") is False:
        return len(_properties(ours)) <= int(theirs)
    if keyword in _LOWER_BOUNDS:
        return own is not None and bool(own >= theirs)
    if keyword in _UPPER_BOUNDS:
        return own is not None and bool(own <= theirs)
    return bool(_unordered(theirs) == _unordered(own))


def _in_parts(contract: Json, ours: Json, place: str, differences: Differences) -> Iterator[str]:
    for name, theirs in _properties(contract).items():
        if name in _properties(ours):
            yield from differences(theirs, _properties(ours)[name], f"{place}.{name}")
        else:
            yield f"{place}.{name}: only the contract's"
    for keyword in ("items", "additionalProperties"):
        if _has_parts(keyword, contract.get(keyword), ours.get(keyword)):
            yield from differences(contract[keyword], ours[keyword], f"{place}[]")
    for number, (theirs, own) in enumerate(zip(contract.get("oneOf", ()), ours.get("oneOf", ()), strict=False)):
        yield from differences(theirs, own, f"{place}[{number}]")


def _has_parts(keyword: str, theirs: Any, own: Any) -> bool:
    """Return whether `_in_parts` compares them."""
    if keyword == "oneOf":
        return len(theirs or ()) == len(own or ())
    are_schemas = isinstance(theirs, dict) and isinstance(own, dict)
    return keyword == "properties" or (keyword in {"items", "additionalProperties"} and are_schemas)


def _properties(schema: Json) -> Json:
    properties: Json = schema.get("properties", {})
    return properties


def _plain(schema: Any) -> Json:
    """Return the schema in one notation, of the several that have the same meaning."""
    plain: Json = {} if schema is True else {name: each for name, each in schema.items() if name not in ANNOTATIONS}
    for part in map(_plain, plain.pop("allOf", ())):
        plain = part | plain | {
            "properties": _properties(part) | _properties(plain),
            "required": [*part.get("required", ()), *plain.get("required", ())],
        }  # fmt: skip
    if "anyOf" in plain and all(set(_plain(each)) == {"type"} for each in plain["anyOf"]):
        plain["type"] = [each["type"] for each in plain.pop("anyOf")]
    if "enum" in plain or "const" in plain:  # these imply the type
        plain.pop("type", None)
    if plain.get("additionalProperties") in ({}, True):
        del plain["additionalProperties"]
    return plain


def _unordered(value: Any) -> Any:
    """Sort lists, because the order of names and types has no meaning."""
    return sorted(map(str, value)) if isinstance(value, list) else value
