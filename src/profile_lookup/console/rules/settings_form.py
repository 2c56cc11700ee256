"""Identity resolution settings as a form: a row for each identifier type, and its place among the matching rules."""

import re
from collections.abc import Sequence
from typing import Any

from profile_lookup.console.forms import Form
from profile_lookup.console.rules.form_fields import Row, filled, number, rows_of
from profile_lookup.console.wire import typed_as
from profile_lookup.errors import SettingsRefused
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity_settings.wire import IdentityResolutionSettingsAnswer, IdentityResolutionSettingsBody

FIELDS = (
    "idType",
    "rule",
    "normalization",
    "enforceUnique",
    "limit",
    "limitPolicy",
    "matchingAlgo",
    "matchingThreshold",
)
"""The fields of a row, by the API's names. `rule` is the type's place among the matching rules, or empty."""

_LABELS = {
    "identifierConfigs": "Identifier types",
    "matchingRules": "Place in the rules",
    "idType": "Name",
    "normalization": "Normalization",
    "enforceUnique": "A value belongs to",
    "limit": "Values kept",
    "limitPolicy": "Beyond that, drop",
    "matchingAlgo": "Lookup matches",
    "matchingThreshold": "Similarity",
}
"""The words of the page for the lists, and for the fields of a row."""

_POSITION = re.compile(r"identifierConfigs\.([0-9]+)(?:\.(\w+))?")


def typed_rows(form: Form) -> list[Row]:
    return rows_of(form, FIELDS)


def rows_in_force(settings: IdentityResolutionSettings) -> list[Row]:
    """Return the rows that show these settings."""
    places = {id_type: str(place) for place, id_type in enumerate(settings.matching_rules, 1)}
    return [_row(each, places.get(each["idType"], "")) for each in _body(settings)["identifierConfigs"]]


def settings_document(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the body of the API's request. Raises `SettingsRefused` for a place that is no number."""
    rules = sorted((_place(row), row["idType"].strip()) for row in rows if row["rule"].strip())
    return {"identifierConfigs": [_config(row) for row in rows], "matchingRules": [id_type for _, id_type in rules]}


def settings_body(rows: Sequence[Row]) -> IdentityResolutionSettingsBody:
    """Return the typed settings as the API reads them. Raises `SettingsRefused`."""
    return typed_as(IdentityResolutionSettingsBody, settings_document(rows), SettingsRefused)


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document in which each type has a name, so that two versions can be compared."""
    types = {config["idType"]: config for config in document["identifierConfigs"]}
    return types | {"matchingRules": ", ".join(document["matchingRules"])}


def comparable_settings(settings: IdentityResolutionSettings) -> dict[str, Any]:
    return comparable(_body(settings))


def label_of(field: str, rows: Sequence[Row]) -> str:
    """Return words for a field that the API names by the position of its row."""
    if field in _LABELS:
        return _LABELS[field]
    found = _POSITION.fullmatch(field)
    if found is None or int(found[1]) >= len(rows):
        return field
    id_type = rows[int(found[1])]["idType"]
    return f"{_LABELS.get(found[2], found[2])} of {id_type}" if found[2] else id_type


def _body(settings: IdentityResolutionSettings) -> dict[str, Any]:
    body = IdentityResolutionSettingsAnswer.of_domain(settings, 1).model_dump(by_alias=True)
    return {name: value for name, value in body.items() if name != "version"}


def _row(config: dict[str, Any], place: str) -> Row:
    texts = {name: str(config[name]) for name in FIELDS if name in config}
    return texts | {"rule": place, "enforceUnique": "true" if config["enforceUnique"] else "false"}


def _place(row: Row) -> int:
    place = number(row["rule"])
    if not isinstance(place, int):
        raise SettingsRefused("matchingRules: expected a number for each type's place, or nothing")
    return place


def _config(row: Row) -> dict[str, object]:
    return filled(
        idType=row["idType"].strip(),
        normalization=row["normalization"],
        enforceUnique=row["enforceUnique"] == "true",
        limit=number(row["limit"]),
        limitPolicy=row["limitPolicy"],
        matchingAlgo=row["matchingAlgo"],
        matchingThreshold=number(row["matchingThreshold"]),
    )
