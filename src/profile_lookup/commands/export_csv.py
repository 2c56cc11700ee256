"""The lines of `profile-lookup export --format csv`, which people open in a spreadsheet, and may import again."""

import codecs
import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.archives.wire.lines import ArchivedProfile, ArchiveHeader
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.imports.files.spreadsheet_marks import marked, marked_identifier
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

ID_TYPES = ("phone", "email")
"""The types of the identifiers that have columns of their own, by whose names an import knows them again."""

LineOfProfile = Callable[[ArchivedProfile], bytes]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file: each trait, and whether its values identify; of each type, as many as a profile has."""

    traits: Mapping[TraitName, bool]
    identifiers: Mapping[str, int]

    def names(self) -> list[str]:
        numbered = [
            id_type if number == 1 else f"{id_type} {number}"
            for id_type, count in self.identifiers.items()
            for number in range(1, count + 1)
        ]
        return ["id", *map(str, self.traits), *numbered]


async def most_identifiers(connection: AsyncConnection, store: StoreRules) -> dict[str, int]:
    """Return how many identifiers of each type the profile has that has most of them."""
    rows = await connection.execute(_MOST, {"store_id": store.id, "id_types": list(ID_TYPES)})
    found = {row.id_type: row.most for row in rows}
    return {id_type: found.get(id_type, 1) for id_type in ID_TYPES if id_type in store.settings.id_types}


def columns_of(store: StoreRules, header: ArchiveHeader, identifiers: Mapping[str, int]) -> Columns:
    traits = {
        TraitName(group.display_name, name): definition.id_type_promotion in store.settings.id_types
        for group in header.trait_groups
        for name, definition in (group.traits or {}).items()
    }
    return Columns(traits, identifiers)


def csv_lines(columns: Columns, *, is_raw: bool) -> tuple[bytes, LineOfProfile]:
    """Return the first line, and the function that returns the line of a profile.

    Unless it `is_raw`, the file begins with a byte order mark, by which Excel knows that it is UTF-8, and a text that a
    spreadsheet would take for a formula is marked; other values are none.
    """

    def cell(value: TraitValue, *, identifies: bool) -> str:
        if not isinstance(value, str):
            return json.dumps(value, ensure_ascii=False)
        if is_raw:
            return value
        return marked_identifier(value) if identifies else marked(value)

    def line(profile: ArchivedProfile) -> bytes:
        traits = {TraitName(trait.group, trait.name): trait.value for trait in profile.traits}
        held: dict[str, list[str]] = defaultdict(list)
        for identifier in profile.identifiers:
            held[identifier.id_type].append(cell(identifier.value, identifies=True))
        return _line(
            [
                ids.profile_id(profile.id),
                *(cell(traits.get(name, ""), identifies=identifies) for name, identifies in columns.traits.items()),
                *(each for id_type, count in columns.identifiers.items() for each in _filled(held[id_type], count)),
            ]
        )

    first_line = _line(columns.names())
    return first_line if is_raw else codecs.BOM_UTF8 + first_line, line


def _filled(values: list[str], count: int) -> list[str]:
    return values + [""] * (count - len(values))


def _line(cells: Iterable[str]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue().encode()


_MOST = text("""
    select id_type, max(held) as most
    from (
        select id_type, count(*) as held from identifier
        where store_id = :store_id and id_type = any (cast(:id_types as text[]))
        group by profile_id, id_type
    ) as counted
    group by id_type
""")
