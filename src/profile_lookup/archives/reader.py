"""Restores a store from an archive: the same profiles under the same IDs, without resolving anything anew.

The caller holds the exclusive lock on the store's rules (`stores/rules_lock.py`), in the transaction that writes all of
the archive.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import exists, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.archives.errors import RestoreRefused
from profile_lookup.archives.profile_rows import copy_profiles
from profile_lookup.archives.wire import ArchivedProfile, ArchiveHeader, parse_line
from profile_lookup.blocked_values import queries as blocked_values_queries
from profile_lookup.database.tables import profile
from profile_lookup.errors import IdentifierRefused, ProfileLookupError, RequestRefused, TraitsRefused
from profile_lookup.identity.stored_values import (
    refuse_never_normalized,
    refuse_unlike_defined,
    refuse_unlike_normalized,
)
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.identity.values.normalization_version import CURRENT, UNVERSIONED, NormalizationVersion
from profile_lookup.identity_settings import queries as identity_settings
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queries import unfinished_inputs
from profile_lookup.operations.queue import enqueue
from profile_lookup.stores.normalization import queue_renormalization, set_normalization
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.trait_groups import queries as trait_groups

ARCHIVE_BYTES_PER_BATCH = 1 << 20
"""The bytes of an archive that are in memory at a time, and at most a line more."""

T = TypeVar("T", ArchiveHeader, ArchivedProfile)


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
    header = _parse(ArchiveHeader, *next(numbered, (1, b"")))
    store = await _replace_rules(connection, store, header)
    written, last = 0, None
    for batch in _batches(numbered):
        profiles = [(number, _parse(ArchivedProfile, number, line)) for number, line in batch]
        for number, archived in profiles:
            if last is not None and archived.id <= last:
                raise RestoreRefused("id: expected profiles in ascending order, each once", number)
            last = archived.id
            _refuse_unfit(store, number, archived)
        await copy_profiles(connection, store, profiles)
        written += len(profiles)
        on_progress(written, header.profiles)
    if written != header.profiles:
        raise RestoreRefused(f"expected {header.profiles} profiles, as the first line says, and not {written}")
    # The archive may hold identifiers that its own blocked values, or those of the store, block.
    kind = OperationKind.UPDATE_BLOCKED_VALUES
    await enqueue(connection, store.account_id, store.id, kind=kind, job_input={})
    return written


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


def _parse(kind: type[T], number: int, line: bytes) -> T:
    try:
        return parse_line(kind, line)
    except RequestRefused as refusal:
        raise RestoreRefused(str(refusal), number) from None


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


def _refuse_unfit(store: StoreRules, number: int, archived: ArchivedProfile) -> None:
    """Raise `RestoreRefused` if the profile could not be in this store, whatever other profiles hold."""
    states_before = [before for merge in archived.merges for before in merge.before]
    for each in (archived, *states_before):
        domain = each.to_domain()
        if (len(domain.identifiers), len(domain.traits)) != (len(each.identifiers), len(each.traits)):
            raise RestoreRefused("identifiers, traits: expected each once", number)
        try:
            refuse_unlike_defined(store.trait_groups, domain.traits)
        except TraitsRefused as error:
            raise RestoreRefused(str(error), number) from None
    for position, identifier in enumerate(archived.to_domain().identifiers):
        try:
            if store.may_hold_former_values:
                refuse_never_normalized(store.settings, identifier)
            else:
                refuse_unlike_normalized(store.settings, identifier)
        except IdentifierRefused as error:
            raise RestoreRefused(f"identifiers.{position}.{error}", number) from None
    if archived.aliases and archived.aliases[0] <= archived.id:
        raise RestoreRefused("aliases: expected IDs that are later than the profile's own", number)
    if not {before.id for before in states_before} <= {archived.id, *archived.aliases}:
        raise RestoreRefused("merges: expected nobody but the profile and its aliases", number)
