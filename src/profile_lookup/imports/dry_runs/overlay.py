"""A store as it would be after the rows that a dry run has gone through.

What these rows would change is in temporary tables of one connection; everything else is read from the store. Nothing
is locked, so other writes go on. What they change counts as soon as the dry run comes to it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.copying import copy_rows
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.imports.dry_runs.holders import holders_of
from profile_lookup.imports.dry_runs.profile_text import profile_of, text_of, text_of_new
from profile_lookup.ingest.attempts import Resolved
from profile_lookup.ingest.identity_locks import identifying
from profile_lookup.ingest.locked_profiles import profiles_with
from profile_lookup.stores.rules_cache import StoreRules

_COMMON = 1000
"""Counting the holders of a value ends here, as in `identity_locks.sql`."""

_HOLDER_COLUMNS = ("id_type", "value", "profile_id")
_NOTHING: Mapping[NormalizedIdentifier, datetime] = {}


class Overlay:
    """Reads the store, and what the rows before would have changed, over one connection.

    It must be used within transactions that are committed soon.
    """

    def __init__(self, connection: AsyncConnection, store: StoreRules) -> None:
        self._connection = connection
        self._store = store

    async def create(self) -> None:
        """Create the temporary tables. They end with the connection."""
        for statement in _CREATE:
            await self._connection.execute(text(statement))

    async def gather(self, requests: Iterable[Iterable[NormalizedIdentifier]]) -> list[Profile]:
        """Return the profiles on which the decision about the requests can depend, with the names of their values."""
        profile_ids = await self._deciding_profiles(list(map(tuple, requests)))
        if not profile_ids:
            return []
        rows = await self._connection.execute(_CHANGED, {"ids": list(profile_ids)})
        profiles = [profile_of(row.id, row.content) for row in rows]
        if unchanged := profile_ids - {profile.id for profile in profiles}:
            profiles += await profiles_with(self._connection, self._store, list(unchanged))
        return list(_with_one_holder_each(self._store.settings, profiles))

    async def add(self, resolved: Resolved) -> None:
        """Save what the resolved rows would change."""
        replay = resolved.replay
        before = {profile.id: profile.identifiers for profile in resolved.candidates}
        now = {profile.id: profile.identifiers for profile in replay.changed_profiles()}
        now |= {profile.id: profile.identifiers for profile in resolved.new_profiles}
        gone = dict.fromkeys((profile.id for profile in replay.absorbed_profiles()), _NOTHING)
        removed = [
            (*each, profile_id)
            for profile_id, identifiers in (now | gone).items()
            for each in before.get(profile_id, ())
            if each not in identifiers
        ]
        if removed:
            await self._remove(removed)
        if replaced := list(now.keys() & before.keys()):
            await self._connection.execute(_REPLACE, {"ids": replaced})
        texts = [(profile.id, text_of(profile)) for profile in replay.changed_profiles()]
        texts += [(profile.id, text_of_new(profile)) for profile in resolved.new_profiles]
        await copy_rows(self._connection, "dry_run_profile", ("id", "content"), texts)
        added = [
            (*each, profile_id)
            for profile_id, identifiers in now.items()
            for each in identifiers
            if each not in before.get(profile_id, ())
        ]
        await copy_rows(self._connection, "dry_run_added", _HOLDER_COLUMNS, added)

    async def _remove(self, removed: Sequence[tuple[str, str, UUID]]) -> None:
        id_types, values, profile_ids = map(list, zip(*removed, strict=True))
        parameters = {"id_types": id_types, "values": values, "profile_ids": profile_ids}
        await self._connection.execute(_REMOVE, parameters)

    async def _deciding_profiles(self, requests: Collection[Sequence[NormalizedIdentifier]]) -> set[UUID]:
        """Return those that `deciding_holders` in `identity_locks.sql` would return, once the rows were applied."""
        unique, shared = identifying(self._store.settings, requests)
        deciding = _all(await self._holders(unique))
        if not shared:
            return deciding
        deciding |= _all(await self._holders(await self._rarer(shared)))
        values = list({identifier for _, identifier in shared})
        while True:
            others = await self._holders(values, limit=2, besides=deciding)
            lone = {each for holders in others.values() for each in holders if len(holders) == 1}
            if not lone:
                return deciding | _all(others)
            deciding |= lone

    async def _rarer(self, shared: Sequence[tuple[int, NormalizedIdentifier]]) -> list[NormalizedIdentifier]:
        """Return the values of requests that carry several shared ones, but for the most shared value of each."""
        by_request: dict[int, list[NormalizedIdentifier]] = defaultdict(list)
        for number, identifier in shared:
            by_request[number].append(identifier)
        several = [values for values in by_request.values() if len(values) > 1]
        counted = await self._holders(list({each for values in several for each in values}), limit=_COMMON)
        rarer = {
            each for values in several for each in sorted(values, key=lambda each: -len(counted.get(each, ())))[1:]
        }
        return list(rarer)

    async def _holders(
        self, identifiers: Sequence[NormalizedIdentifier], limit: int | None = None, besides: Collection[UUID] = ()
    ) -> dict[NormalizedIdentifier, list[UUID]]:
        return await holders_of(self._connection, self._store.id, identifiers, limit, besides)


def _with_one_holder_each(settings: IdentityResolutionSettings, profiles: Iterable[Profile]) -> Iterator[Profile]:
    """Yield the profiles without those values of unique types that one before them has.

    They have some only if somebody else has merged stored profiles since the dry run changed one of them.
    """
    taken: set[NormalizedIdentifier] = set()
    for profile in profiles:
        unique = {each for each in profile.identifiers if settings.is_unique(each.id_type)}
        if unique & taken:
            left = {each: at for each, at in profile.identifiers.items() if each not in unique & taken}
            yield replace(profile, identifiers=left)
        else:
            yield profile
        taken |= unique


def _all(holders: dict[NormalizedIdentifier, list[UUID]]) -> set[UUID]:
    return {profile_id for each in holders.values() for profile_id in each}


# They are never analyzed, so the planner would guess how large they are. Every access is a probe of an index.
_CREATE = (
    "set enable_seqscan = off",
    "set temp_buffers = '32MB'",
    # The profiles that would be new or changed: `profile_text.py`.
    "create temporary table dry_run_profile (id uuid primary key, content text not null)",
    # The identifiers that profiles would get, and those stored ones that they would lose.
    "create temporary table dry_run_added (id_type text, value text, profile_id uuid)",
    "create index on dry_run_added (value, id_type, profile_id)",
    "create temporary table dry_run_removed (id_type text, value text, profile_id uuid)",
    "create index on dry_run_removed (value, id_type, profile_id)",
)

_CHANGED = text("select id, content from dry_run_profile where id = any (cast(:ids as uuid[]))")

_REPLACE = text("delete from dry_run_profile where id = any (cast(:ids as uuid[]))")

_REMOVE = text("""
    with lost as (
        select * from unnest(cast(:id_types as text[]), cast(:values as text[]), cast(:profile_ids as uuid[]))
            as removed (id_type, value, profile_id)
    ),
    no_longer_added as (
        delete from dry_run_added
        where ctid = any (array(
            select held.ctid
            from lost
            cross join lateral (
                select a.ctid from dry_run_added a
                where a.value = lost.value and a.id_type = lost.id_type and a.profile_id = lost.profile_id
                offset 0
            ) held
        ))
    )
    insert into dry_run_removed (id_type, value, profile_id) select id_type, value, profile_id from lost
""")
