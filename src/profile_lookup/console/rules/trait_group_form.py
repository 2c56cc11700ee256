"""A trait group as a form: a row for each trait."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from profile_lookup.console.forms import Form
from profile_lookup.console.rules.form_fields import Row, filled, number, rows_of
from profile_lookup.errors import DefinitionRefused
from profile_lookup.identity.trait_definitions import CONTACT, TraitDefinition, TraitGroup
from profile_lookup.trait_groups.wire import TraitDefinitionBody

FIELDS = ("trait", "dataType", "idTypePromotion", "traitDescription", "pattern", "least", "most")
"""The fields of a row. `trait` is the trait's name, and an empty `dataType` removes it."""

_BOUNDS = {"STRING": ("minLength", "maxLength"), "NUMBER": ("min", "max"), "ARRAY": ("minItems", "maxItems")}
"""The API's names of the least and the most that a rule allows, by the data type."""


_LABELS = {
    "dataType": "Holds",
    "idTypePromotion": "Becomes identifier",
    "description": "Description",
    "pattern": "Pattern",
    "least": "At least",
    "most": "At most",
}
"""The words of the page for the fields of a row."""

_FIELDS_OF_BOUNDS = {
    bound: field for least, most in _BOUNDS.values() for bound, field in ((least, "least"), (most, "most"))
}
_PLACE = re.compile(r"traits\.(?P<trait>[^.]+)(?:\.validationRule\.[A-Z]+)?\.(?P<member>\w+)")


def typed_rows(form: Form) -> list[Row]:
    return rows_of(form, FIELDS)


def rows_in_force(group: TraitGroup) -> list[Row]:
    """Return the rows that show a trait group."""
    return [_row(name, document) for name, document in sorted(documents_of(group.traits).items())]


def documents_of(traits: Mapping[str, TraitDefinition]) -> dict[str, dict[str, Any]]:
    """Return the definitions as the API answers them, by the name of the trait."""
    return {
        name: TraitDefinitionBody.of_domain(each).model_dump(by_alias=True, exclude_none=True)
        for name, each in traits.items()
    }


def typed_documents(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Return the definitions as the API reads them, by the name of the trait.

    Raises `DefinitionRefused` if a name is there twice.
    """
    typed = {row["trait"].strip(): _document(row) for row in rows}
    if len(typed) < len(rows):
        raise DefinitionRefused("trait: expected each name once")
    return typed


def field_of(place: str) -> str:
    """Return the name of a field, such as `traits.seats.most`, for a place in the API's body."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return place
    return f"traits.{found['trait']}.{_FIELDS_OF_BOUNDS.get(found['member'], found['member'])}"


def label_of(field: str) -> str:
    """Return the words for a field of a row; nothing for other fields."""
    found = _PLACE.fullmatch(field)
    return "" if found is None else f"{_LABELS.get(found['member'], found['member'])} of {found['trait']}"


def is_protected(group: str, trait: str) -> bool:
    """Return whether a trait can neither be removed nor become something else."""
    return group == CONTACT.name and trait in CONTACT.traits


def _row(name: str, document: Mapping[str, Any]) -> Row:
    rule = document.get("validationRule", {})
    least, most = _BOUNDS.get(document["dataType"], ("", ""))
    texts = {field: str(document.get(field, "")) for field in FIELDS}
    bounds = {"least": _text(rule.get(least)), "most": _text(rule.get(most))}
    described = {"trait": name, "traitDescription": document.get("description", "")}
    return texts | bounds | described | {"pattern": rule.get("pattern", "")}


def _document(row: Row) -> dict[str, Any]:
    data_type = row["dataType"]
    rule = _rule(row)
    return filled(
        dataType=data_type,
        description=row["traitDescription"],
        idTypePromotion=row["idTypePromotion"],
        validationRule={"ruleType": data_type, **rule} if data_type and rule else "",
    ) | {"dataType": data_type}


def _rule(row: Row) -> dict[str, object]:
    """Return what the typed rule allows. A pattern of what is no text is sent as well, so that it is refused."""
    least, most = _BOUNDS.get(row["dataType"], ("least", "most"))
    return filled(**{"pattern": row["pattern"], least: number(row["least"]), most: number(row["most"])})


def _text(bound: float | None) -> str:
    return "" if bound is None else f"{Decimal(repr(bound)):f}"
