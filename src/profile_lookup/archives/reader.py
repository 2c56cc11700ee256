"""An archive becomes a store again: the same profiles under the same IDs, nothing resolved anew.

Whoever calls holds the store's rules alone (`stores/locks.py`), in the transaction in which all of it is written.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import asyncpg
from pydantic import BaseModel, ValidationError
from sqlalchemy import exists, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.archives.wire import ArchivedProfile, ArchiveHeader
from profile_lookup.database.connections import translating_errors
from profile_lookup.database.documents import serialized_profile
from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.database.tables import profile
from profile_lookup.errors import IdentifierRefused, ProfileLookupError, TraitsRefused
from profile_lookup.identity.stored_values import refuse_unlike_defined, refuse_unlike_normalized
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.identity_settings import queries as identity_settings
from profile_lookup.identity_settings.queries import UPDATE_SETTINGS
from profile_lookup.operations.queries import unfinished_inputs
from profile_lookup.stores.rules_cache import Store
from profile_lookup.trait_groups import queries as trait_groups
from profile_lookup.trait_groups.changes import FORGET_TRAITS
from profile_lookup.web.wire import mistakes

CHUNK = 1 << 20
"""Bytes of an archive in memory at a time, and at most a line more."""

Line = TypeVar("Line", bound=BaseModel)
NumberedProfiles = Sequence[tuple[int, ArchivedProfile]]
"""With the number of each one's line."""


class RestoreRefused(Exception):
    """What is wrong with the archive, and in which line, or with the store. It never tells a value."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")


async def restore(
    connection: AsyncConnection, store: Store, lines: Iterable[bytes], on_progress: Callable[[int, int], None]
) -> int:
    """Give how many profiles there are now. `on_progress` is told how many are written, and how many there will be.

    The archive's settings and trait groups are put in force. Raises `RestoreRefused`: then nothing may be committed.
    """
    await connection.execute(text("set local statement_timeout = 0"))
    await _refuse_unless_empty(connection, store)
    numbered = enumerate(lines, start=1)
    header = _read(ArchiveHeader, *next(numbered, (1, b"")))
    store = await _put_in_force(connection, store, header)
    written, last = 0, None
    for chunk in _chunks(numbered):
        people = [(number, _read(ArchivedProfile, number, line)) for number, line in chunk]
        for number, person in people:
            if last is not None and person.id <= last:
                raise RestoreRefused("id: expected profiles in ascending order, each once", number)
            last = person.id
            _check(store, number, person)
        await _write(connection, store, people)
        written += len(people)
        on_progress(written, header.profiles)
    if written != header.profiles:
        raise RestoreRefused(f"expected {header.profiles} profiles, as the first line says, and not {written}")
    return written


async def _refuse_unless_empty(connection: AsyncConnection, store: Store) -> None:
    if await connection.scalar(select(exists().where(profile.c.store_id == store.id))):
        raise RestoreRefused("expected a store without any profile")
    for kind in (UPDATE_SETTINGS, FORGET_TRAITS):
        if await unfinished_inputs(connection, store.id, kind):
            raise RestoreRefused("the store's settings or trait groups are still being changed: try again later")


async def _put_in_force(connection: AsyncConnection, store: Store, header: ArchiveHeader) -> Store:
    """The store with the archive's rules."""
    try:
        settings = header.settings.to_domain()
        groups = {group.display_name: group.to_domain() for group in header.trait_groups}
    except ProfileLookupError as error:
        raise RestoreRefused(str(error), 1) from None
    if len(groups) < len(header.trait_groups):
        raise RestoreRefused("traitGroups: expected each displayName once", 1)
    if CONTACT.name not in groups or not groups[CONTACT.name].keeps(CONTACT):
        raise RestoreRefused(f"traitGroups: expected {CONTACT.name} with the traits that every store has", 1)
    if settings != store.settings:
        await identity_settings.replace(connection, store, settings)
    for name in store.trait_groups.keys() - groups.keys():
        await trait_groups.remove(connection, store, name)
    left = replace(store, trait_groups={name: group for name, group in store.trait_groups.items() if name in groups})
    for archived in header.trait_groups:
        group = groups[archived.display_name]
        if group.name in left.trait_groups:
            current = await trait_groups.fetch(connection, store, group.name)
            await trait_groups.replace(connection, store, current, group, archived.description)
        else:
            await trait_groups.create(connection, left, group, archived.description)
    return replace(store, settings=settings, trait_groups=groups)


def _read(kind: type[Line], number: int, line: bytes) -> Line:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RestoreRefused(mistakes([each | {"loc": ("JSON", *each["loc"])} for each in found]), number) from None


def _chunks(lines: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    chunk: list[tuple[int, bytes]] = []
    size = 0
    for number, line in lines:
        chunk.append((number, line))
        size += len(line)
        if size > CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _check(store: Store, number: int, person: ArchivedProfile) -> None:
    """That it could be in this store, as long as it has nothing that another profile has."""
    was = [before for merge in person.merges for before in merge.before]
    for each in (person, *was):
        as_domain = each.to_domain()
        if (len(as_domain.identifiers), len(as_domain.traits)) != (len(each.identifiers), len(each.traits)):
            raise RestoreRefused("identifiers, traits: expected each once", number)
        try:
            refuse_unlike_defined(store.trait_groups, as_domain.traits)
        except TraitsRefused as error:
            raise RestoreRefused(str(error), number) from None
    for position, identifier in enumerate(person.to_domain().identifiers):
        try:
            refuse_unlike_normalized(store.settings, identifier)
        except IdentifierRefused as error:
            raise RestoreRefused(f"identifiers.{position}.{error}", number) from None
    if person.aliases and person.aliases[0] <= person.id:
        raise RestoreRefused("aliases: expected IDs that are later than the profile's own", number)
    if not {before.id for before in was} <= {person.id, *person.aliases}:
        raise RestoreRefused("merges: expected nobody but the profile and its aliases", number)


async def _write(connection: AsyncConnection, store: Store, people: NumberedProfiles) -> None:
    settings, store_id = store.settings, store.id
    copy = partial(_copy, connection, people)
    await copy("profile", ("store_id", "id", "created_at"), lambda person: [(store_id, person.id, person.created_at)])
    await copy(
        "alias",
        ("store_id", "id", "profile_id"),
        lambda person: [(store_id, each, person.id) for each in person.aliases],
    )
    await _refuse_aliases(connection, store, people)
    await copy(
        "identifier",
        ("store_id", "id_type", "value", "profile_id", "is_unique", "fuzzy_key", "added_at"),
        lambda person: [
            (
                store_id, each.id_type, each.value, person.id, settings.is_unique(each.id_type),
                fuzzy_key(settings, store_id, each.id_type), each.added_at,
            )
            for each in person.identifiers
        ],
    )  # fmt: skip
    await copy(
        "trait",
        ("store_id", "profile_id", "group_name", "name", "value", "written_at"),
        lambda person: [
            (store_id, person.id, each.group, each.name, json.dumps(each.value), each.written_at)
            for each in person.traits
        ],
    )
    await copy(
        "merge",
        ("store_id", "id", "canonical_id", "absorbed_ids", "rule", "moved", "merged_at"),
        lambda person: [
            (
                store_id, each.id, each.before[0].id, [before.id for before in each.before[1:]], each.rule,
                json.dumps([serialized_profile(before.to_domain()) for before in each.before]), each.merged_at,
            )
            for each in person.merges
        ],
    )  # fmt: skip


async def _copy(
    connection: AsyncConnection,
    people: NumberedProfiles,
    table: str,
    columns: Sequence[str],
    rows_of: Callable[[ArchivedProfile], list[tuple[Any, ...]]],
) -> None:
    """Raises `RestoreRefused` when another profile has what only one may have."""
    rows = [(number, row) for number, person in people for row in rows_of(person)]
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, asyncpg.Connection)
    try:
        with translating_errors():
            await driver.copy_records_to_table(table, columns=columns, records=[row for _, row in rows])
    except asyncpg.UniqueViolationError as error:
        # "COPY identifier, line 7", also of what is not text; the word for line may be of another language.
        found = re.match(r"COPY \w+, \w+ (\d+)", error.context or "")
        number = rows[int(found[1]) - 1][0] if found else None
        raise RestoreRefused(_TWICE[str(error.constraint_name)], number) from None


async def _refuse_aliases(connection: AsyncConnection, store: Store, people: NumberedProfiles) -> None:
    """An alias is later than its profile, so those of all earlier lines are written."""
    line_of = {person.id: number for number, person in people}
    parameters = {"store_id": store.id, "ids": list(line_of)}
    if (found := await connection.scalar(_EARLIEST_ALIAS, parameters)) is not None:
        raise RestoreRefused("id: it is an alias of another profile too", line_of[found])


_EARLIEST_ALIAS = text("""
    select id from alias where store_id = :store_id and id = any (cast(:ids as uuid[])) order by id limit 1
""")

_TWICE = {
    "alias_pkey": "aliases: an ID is another profile's alias too",
    "identifier_enforce_unique_idx": "identifiers: a value of a unique type is another profile's too",
    "merge_pkey": "merges: an ID is that of another merge too",
}
"""What it means when a constraint fires."""
