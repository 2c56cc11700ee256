"""Which column of a file holds which trait, and which change a row of the file asks for."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from profile_lookup.errors import NothingUnblocked, RequestRefused, RowRefused, TraitsRefused, TraitValueRefused
from profile_lookup.identity.blocked_values import PLACEHOLDERS_ALONE, BlockedValues
from profile_lookup.identity.change import Change
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import DataType, TraitGroup
from profile_lookup.identity.traits import read_traits

_INTEGER = re.compile("[+-]?[0-9]{1,10}")
_MAX_NAMED = 5  # columns that a reason lists, since a report may have millions of reasons
_BOOLEANS = {"true": True, "false": False}


class MappedColumn(NamedTuple):
    column: str
    trait: TraitName


def refuse_mapping(
    groups: Mapping[str, TraitGroup], settings: IdentityResolutionSettings, mapping: Sequence[MappedColumn]
) -> None:
    """Raise `RequestRefused` or `TraitsRefused` if no row could be read by the mapping."""
    members = (("columnName", [each.column for each in mapping]), ("trait", [each.trait for each in mapping]))
    for member, values in members:
        if len(set(values)) < len(values):
            raise RequestRefused(f"columnMappings: expected each {member} once")
    for number, (_, trait) in enumerate(mapping):
        place = f"columnMappings.{number}"
        if trait.group not in groups:
            raise TraitsRefused(f"{place}.traitGroup: no such trait group; expected one of {_joined(groups)}")
        known = groups[trait.group].traits
        if trait.name not in known:
            raise TraitsRefused(f"{place}.traitName: no such trait in {trait.group}; expected one of {_joined(known)}")
    if not identifying_columns(groups, settings, mapping):
        raise TraitsRefused("columnMappings: expected at least one trait that is promoted to an identifier")


def identifying_columns(
    groups: Mapping[str, TraitGroup], settings: IdentityResolutionSettings, mapping: Iterable[MappedColumn]
) -> dict[str, str]:
    """Return the columns whose values are promoted to identifiers, each with its identifier type."""
    promotions = {column: groups[trait.group].traits[trait.name].id_type_promotion for column, trait in mapping}
    return {column: id_type for column, id_type in promotions.items() if id_type in settings.id_types and id_type}


def read_row(
    groups: Mapping[str, TraitGroup],
    settings: IdentityResolutionSettings,
    mapping: Sequence[MappedColumn],
    cells: Sequence[str],
    blocked_values: BlockedValues = PLACEHOLDERS_ALONE,
) -> Change:
    """Return the change that a row asks for. Its cells are in the order of the mapping; an empty cell is ignored.

    A blocked value costs its cell alone: the trait is written, and the rest of the row counts.

    The mapping must have passed `refuse_mapping`. Raises `RowRefused`.
    """
    sent: dict[str, dict[str, object]] = {}
    for (column, trait), cell in zip(mapping, cells, strict=True):
        if cell:
            data_type = groups[trait.group].traits[trait.name].data_type
            sent.setdefault(trait.group, {})[trait.name] = _read_cell(column, data_type, cell)
    try:
        change = Change.of_traits(groups, settings, read_traits(groups, sent), blocked_values)
    except TraitValueRefused as refused:
        column = next(each.column for each in mapping if str(each.trait) == refused.trait)
        raise RowRefused(column, refused.expected) from None
    except TraitsRefused as refused:
        raise RowRefused(None, str(refused)) from None
    if change.blocked and not change.incoming:
        columns_of = {each.trait: each.column for each in mapping}
        nobody = NothingUnblocked((columns_of[each.trait], each.block.reason) for each in change.blocked)
        raise RowRefused(None, str(nobody))
    if not change.incoming:
        columns = list(identifying_columns(groups, settings, mapping))
        listed = columns if len(columns) <= _MAX_NAMED else [*columns[:_MAX_NAMED], "…"]
        raise RowRefused(None, f"expected a value in a column that identifies: {', '.join(listed)}")
    return change


def _read_cell(column: str, data_type: DataType, cell: str) -> object:
    """Return the JSON value that a request would hold. Raises `RowRefused`."""
    match data_type:
        case "STRING":
            return cell
        case "NUMBER":
            if _INTEGER.fullmatch(cell.strip()) is None:
                raise RowRefused(column, "expected an integer of 32 bits")
            return int(cell)
        case "BOOLEAN":
            value = _BOOLEANS.get(cell.strip().lower())
            if value is None:
                raise RowRefused(column, "expected true or false")
            return value
        case "ARRAY":
            return _read_array(column, cell)


def _read_array(column: str, cell: str) -> list[object]:
    try:
        items = json.loads(cell)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        raise RowRefused(column, "expected a JSON array")
    return items


def _joined(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
