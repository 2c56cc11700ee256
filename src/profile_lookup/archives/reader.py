"""Restores a store from an archive: the same profiles under the same IDs, without resolving anything anew.

The caller holds the exclusive lock on the store's rules (`stores/rules_lock.py`), in the transaction that writes all of
the archive.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from sqlalchemy import exists, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.archives.errors import RestoreRefused
from profile_lookup.archives.profile_lines import ProfileLines, parsed
from profile_lookup.archives.profile_rows import copy_profiles
from profile_lookup.archives.wire.lines import ArchiveHeader
from profile_lookup.blocked_values import queries as blocked_values_queries
from profile_lookup.database.citus.statements import in_store
from profile_lookup.database.tables import profile
from profile_lookup.errors import ProfileLookupError
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.identity.values.normalization_version import CURRENT, UNVERSIONED, NormalizationVersion
from profile_lookup.identity_settings import queries as identity_settings
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queries import unfinished_inputs
from profile_lookup.operations.queue import enqueue
from profile_lookup.stores.normalization import queue_renormalization, set_normalization
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.settings_events import record_settings_change
from profile_lookup.trait_groups import queries as trait_groups

ARCHIVE_BYTES_PER_BATCH = 1 << 20
"""The bytes of an archive that are in memory at a time, and at most a line more."""


async def restore(
    connection: AsyncConnection, store: StoreRules, lines: Iterable[bytes], on_progress: Callable[[int, int], None]
) -> int:
    """Write the archive's rules and profiles to an empty store, and return how many profiles were written.

    `on_progress` gets how many profiles are written so far, and how many there will be. Raises `RestoreRefused`, upon
    which the caller must not commit.
    """
    await connection.execute(text("set local statement_timeout = 0"))
    await _refuse_unless_empty(connection, store)
    numbered = enumerate(lines, start=1)
    header = parsed(ArchiveHeader, *next(numbered, (1, b"")))
    store = await _replace_rules(connection, store, header)
    await record_settings_change(connection, store.id, Actor("command", "restore"))
    await connection.execute(_TRANSACTION_ID, {"store_id": store.id})
    numbers_after = (await connection.execute(_NEXT_NUMBER, {"store_id": store.id})).scalar_one()
    profile_lines = ProfileLines(store, header)
    for batch in _batches(numbered):
        profiles = [(number, profile_lines.read(number, line)) for number, line in batch]
        await copy_profiles(connection, store, profiles, numbers_after)
        on_progress(profile_lines.profiles, header.profiles)
    profile_lines.refuse_incomplete()
    await connection.execute(_DRAW_NUMBERS, {"store_id": store.id, "count": profile_lines.events})
    # The archive may hold identifiers that its own blocked values, or those of the store, block.
    kind = OperationKind.UPDATE_BLOCKED_VALUES
    await enqueue(connection, store.account_id, store.id, kind=kind, job_input={})
    return profile_lines.profiles


async def _refuse_unless_empty(connection: AsyncConnection, store: StoreRules) -> None:
    if await connection.scalar(select(exists().where(profile.c.store_id == store.id))):
        raise RestoreRefused("expected a store without any profile")
    for kind in (OperationKind.UPDATE_SETTINGS, OperationKind.FORGET_TRAITS):
        if await unfinished_inputs(connection, store.id, kind):
            raise RestoreRefused("the store's settings or trait groups are still being changed: try again later")


async def _replace_rules(connection: AsyncConnection, store: StoreRules, header: ArchiveHeader) -> StoreRules:
    """Put the archive's settings, blocked values and trait groups in force, and return the store with them."""
    try:
        settings = header.settings.to_domain()
        blocked_values = (
            store.blocked_values.adapted_to(settings)
            if header.blocked_values is None
            else header.blocked_values.to_domain(settings)
        )
        groups = {group.display_name: group.to_domain() for group in header.trait_groups}
    except ProfileLookupError as error:
        raise RestoreRefused(str(error), 1) from None
    if len(groups) < len(header.trait_groups):
        raise RestoreRefused("traitGroups: expected each displayName once", 1)
    if CONTACT.name not in groups or not groups[CONTACT.name].keeps(CONTACT):
        raise RestoreRefused(f"traitGroups: expected {CONTACT.name} with the traits that every store has", 1)
    if settings != store.settings:
        await identity_settings.replace(connection, store, settings)
    if header.blocked_values is not None:
        await blocked_values_queries.replace(connection, store, blocked_values)
    for name in store.trait_groups.keys() - groups.keys():
        await trait_groups.remove(connection, store, name)
    kept_groups = {name: group for name, group in store.trait_groups.items() if name in groups}
    remaining = replace(store, trait_groups=kept_groups)
    for archived in header.trait_groups:
        group = groups[archived.display_name]
        if group.name in remaining.trait_groups:
            current = await trait_groups.fetch(connection, store, group.name)
            await trait_groups.replace(connection, store, current, group, archived.description)
        else:
            await trait_groups.create(connection, remaining, group, archived.description)
    version, kept_values = await _replace_normalization(connection, store, header)
    return replace(
        store,
        settings=settings,
        trait_groups=groups,
        normalization=version,
        kept_values=kept_values,
        blocked_values=blocked_values,
    )


async def _replace_normalization(
    connection: AsyncConnection, store: StoreRules, header: ArchiveHeader
) -> tuple[NormalizationVersion, int]:
    """Give the store the version of the archive's values, and queue the operation that normalizes them anew.

    Return the version, and how many values the archived store kept though its rules refused them.
    """
    made_by = header.normalization
    version = UNVERSIONED if made_by is None else made_by.version
    kept_values = 0 if made_by is None else made_by.kept_values
    if version != store.normalization or kept_values:
        await set_normalization(connection, store.account_id, store.id, version, kept_values)
    if CURRENT.is_newer_than(version):
        await queue_renormalization(connection, store.account_id, store.id)
    return version, kept_values


def _batches(lines: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    batch: list[tuple[int, bytes]] = []
    size = 0
    for number, line in lines:
        batch.append((number, line))
        size += len(line)
        if size > ARCHIVE_BYTES_PER_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


# Whoever reads the feed of the store needs that the transaction has its ID before it draws numbers.
_TRANSACTION_ID = in_store(
    "begin_to_write", "select cast(pg_current_xact_id() as text) as id where cast(:store_id as uuid) is not null"
)
_NEXT_NUMBER = in_store(
    "next_event_number", "select nextval('event_number') as number where cast(:store_id as uuid) is not null"
)
# Other stores may have drawn the same numbers meanwhile. Later events of this one get higher numbers.
_DRAW_NUMBERS = in_store(
    "pass_event_numbers",
    """
    select count(nextval('event_number')) as count from generate_series(1, :count)
    where cast(:store_id as uuid) is not null
""",
)
