"""Rows as a store with these trait groups reads them."""

from collections.abc import Mapping
from uuid import UUID

from profile_lookup.errors import RowRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.trait_definitions import (
    CONTACT,
    ArrayRule,
    NumberRule,
    StringRule,
    TraitDefinition,
    TraitGroup,
)
from profile_lookup.imports.columns.column_mapping import MappedColumn
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.row_reader import Reading, RowReader
from profile_lookup.stores.rules_cache import StoreRules
from tests.identity.building import at

GROUPS = {
    "Contact": CONTACT,
    "More": TraitGroup(
        "More",
        {
            "age": TraitDefinition("NUMBER", validation_rule=NumberRule(min=0)),
            "member": TraitDefinition("BOOLEAN"),
            "phones": TraitDefinition("ARRAY", "phone", validation_rule=ArrayRule(max_items=3)),
            "code": TraitDefinition("STRING", validation_rule=StringRule(pattern="^[A-Z]+$")),
            "old": TraitDefinition("STRING", "fax"),  # promoted to a type that no longer exists
        },
    ),
}


def mapping_of(*traits: str) -> list[MappedColumn]:
    return [MappedColumn(f"{name} column", TraitName(*name.split("."))) for name in traits]


def reader(
    groups: Mapping[str, TraitGroup],
    mapping: list[MappedColumn],
    *,
    country: str | None = None,
    is_strict: bool = False,
) -> RowReader:
    store = StoreRules(UUID(int=1), UUID(int=2), DEFAULT_SETTINGS, 1, groups, 1, at(0))
    positions = {each.column: [place] for place, each in enumerate(mapping)}
    return RowReader(store, mapping, positions, ImportOptions(country=country, is_strict=is_strict))


def change_of(reading: Reading) -> Change:
    if isinstance(reading.attempt, RowRefused):
        raise reading.attempt
    return reading.attempt
