"""Writes archived profiles to the tables, by COPY."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.archives.errors import RestoreRefused
from profile_lookup.archives.wire.lines import ArchivedProfile
from profile_lookup.database.citus.copy_errors import last_with_key
from profile_lookup.database.copying import copy_rows
from profile_lookup.database.documents import actor_text, serialized_traits
from profile_lookup.database.event_rows import EVENT_COLUMNS, event_row
from profile_lookup.identity.difference import MANY_IDENTIFIERS
from profile_lookup.ingest.large_profiles import count_identifiers
from profile_lookup.ingest.new_profiles import IDENTIFIER_COLUMNS, PROFILE_COLUMNS, Holder, identifier_rows
from profile_lookup.stores.rules_cache import StoreRules

NumberedProfiles = Sequence[tuple[int, ArchivedProfile]]
"""Profiles, each with the number of its line."""


async def copy_profiles(
    connection: AsyncConnection, store: StoreRules, profiles: NumberedProfiles, numbers_after: int
) -> None:
    """Write the profiles and all that belongs to them.

    The numbers of events are counted from `numbers_after` on. Raises `RestoreRefused` if what must be unique is not.
    """
    settings, store_id = store.settings, store.id
    copy = partial(_copy, connection, profiles)
    await copy(
        "profile",
        (*PROFILE_COLUMNS, "creation_number", "is_separated"),
        lambda archived: [(store_id, *_profile_row(archived, numbers_after))],
    )
    await copy(
        "alias",
        ("store_id", "id", "profile_id"),
        lambda archived: [(store_id, each, archived.id) for each in archived.aliases],
    )
    await _refuse_known_aliases(connection, store, profiles)
    await copy(
        "identifier",
        IDENTIFIER_COLUMNS,
        lambda archived: identifier_rows(settings, store_id, [Holder(archived.id, archived.to_domain().identifiers)]),
    )
    large = [archived.id for _, archived in profiles if len(archived.identifiers) >= MANY_IDENTIFIERS]
    await count_identifiers(connection, store_id, large)
    await copy(
        "event",
        ("store_id", "number", *EVENT_COLUMNS),
        lambda archived: [
            (store_id, numbers_after + each.number, *event_row(store_id, each.to_domain())) for each in archived.events
        ],
    )
    await copy(
        "separation",
        ("store_id", "id", "decision", "part", "is_lifted", "decided_at"),
        lambda archived: [
            (store_id, each.id, each.decision, each.part, each.is_lifted, each.decided_at)
            for each in archived.separations
        ],
    )


def _profile_row(archived: ArchivedProfile, numbers_after: int) -> tuple[object, ...]:
    traits = json.dumps(serialized_traits(archived.to_domain().traits, archived.created_at))
    created_by = None if archived.created_by is None else actor_text(archived.created_by.to_domain())
    number = None if archived.creation_number is None else numbers_after + archived.creation_number
    return archived.id, archived.created_at, traits, created_by, number, bool(archived.separations)


async def _copy(
    connection: AsyncConnection,
    profiles: NumberedProfiles,
    table: str,
    columns: Sequence[str],
    rows_of: Callable[[ArchivedProfile], Iterable[tuple[Any, ...]]],
) -> None:
    """Copy the rows of these profiles into a table. Raises `RestoreRefused` if a row must be unique and is not."""
    rows = [(number, row) for number, archived in profiles for row in rows_of(archived)]
    try:
        await copy_rows(connection, table, columns, [row for _, row in rows])
    except asyncpg.UniqueViolationError as error:
        place = _place_of(error, columns, [row for _, row in rows])
        number = None if place is None else rows[place][0]
        raise RestoreRefused(_DUPLICATES[str(error.constraint_name)], number) from None


def _place_of(
    error: asyncpg.UniqueViolationError, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> int | None:
    """Return the place of the row that was refused."""
    # "COPY identifier, line 7", also for a binary COPY; the word for line may be in another language.
    if found := re.match(r"COPY \w+, \w+ (\d+)", error.context or ""):
        return int(found[1]) - 1
    return last_with_key(error.detail, columns, rows)


async def _refuse_known_aliases(connection: AsyncConnection, store: StoreRules, profiles: NumberedProfiles) -> None:
    """Raise `RestoreRefused` if a profile's ID is also an alias.

    An alias is later than its profile, so the aliases that could have this ID are written already.
    """
    line_of = {archived.id: number for number, archived in profiles}
    parameters = {"store_id": store.id, "ids": list(line_of)}
    if (found := await connection.scalar(_EARLIEST_ALIAS, parameters)) is not None:
        raise RestoreRefused("id: it is an alias of another profile too", line_of[found])


_EARLIEST_ALIAS = text("""
    select id from alias where store_id = :store_id and id = any (cast(:ids as uuid[])) order by id limit 1
""")

_DUPLICATES = {
    "alias_pkey": "aliases: an ID is another profile's alias too",
    "identifier_pkey": "identifiers: a value of a unique type is another profile's too",
    "event_pkey": "events: a number is that of another event too",
    "profile_creation_number_idx": "creationNumber: it is that of another profile too",
    "separation_pkey": "separations: expected each decision about an ID once",
}
"""The reason to give for each constraint that may fire."""
