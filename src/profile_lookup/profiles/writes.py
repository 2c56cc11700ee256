"""Profiles and identifiers in SQL: the writes, each one statement.

Whoever calls holds the locks of `lock_and_gather`, so no constraint can fire; there is no `on conflict` but on the
rows of the very profile, which is locked.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.resolution import Merge
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.profiles.fuzzy import fuzzy_key


@dataclass(frozen=True, slots=True)
class Changes:
    """What to write of one canonical profile."""

    put: Mapping[NormalizedIdentifier, datetime]
    traits: Mapping[TraitName, Trait]
    dropped: Collection[NormalizedIdentifier] = ()
    forgotten: Collection[TraitName] = ()

    @classmethod
    def between(
        cls,
        before: Profile,
        identifiers: Mapping[NormalizedIdentifier, datetime],
        traits: Mapping[TraitName, Trait],
    ) -> "Changes":
        return cls(
            put={each: at for each, at in identifiers.items() if before.identifiers.get(each) != at},
            traits={name: trait for name, trait in traits.items() if before.traits.get(name) != trait},
            dropped=before.identifiers.keys() - identifiers.keys(),
            forgotten=before.traits.keys() - traits.keys(),
        )

    def parameters(self, settings: IdentityResolutionSettings, store_id: UUID) -> dict[str, Any]:
        return {
            "put_types": [identifier.id_type for identifier in self.put],
            "put_values": [identifier.value for identifier in self.put],
            "put_uniques": [settings.is_unique(identifier.id_type) for identifier in self.put],
            "put_fuzzy_keys": [fuzzy_key(settings, store_id, identifier.id_type) for identifier in self.put],
            "put_times": list(self.put.values()),
            "dropped_types": [identifier.id_type for identifier in self.dropped],
            "dropped_values": [identifier.value for identifier in self.dropped],
            "gone_groups": [name.group for name in self.forgotten],
            "gone_names": [name.name for name in self.forgotten],
            "trait_groups": [name.group for name in self.traits],
            "trait_names": [name.name for name in self.traits],
            "trait_values": [json.dumps(trait.value) for trait in self.traits.values()],
            "trait_times": [trait.written_at for trait in self.traits.values()],
        }


async def create_profile(
    connection: AsyncConnection,
    settings: IdentityResolutionSettings,
    store_id: UUID,
    profile_id: UUID,
    changes: Changes,
    created_at: datetime,
) -> None:
    parameters = changes.parameters(settings, store_id) | {
        "store_id": store_id,
        "profile_id": profile_id,
        "created_at": created_at,
    }
    await connection.execute(_CREATE, parameters)


async def update_profile(
    connection: AsyncConnection,
    settings: IdentityResolutionSettings,
    store_id: UUID,
    profile_id: UUID,
    changes: Changes,
) -> None:
    parameters = changes.parameters(settings, store_id) | {
        "store_id": store_id,
        "profile_id": profile_id,
        "people": [profile_id],
    }
    await connection.execute(_UPDATE, parameters)


async def merge_profiles(
    connection: AsyncConnection,
    settings: IdentityResolutionSettings,
    store_id: UUID,
    merge: Merge,
    changes: Changes,
    *,
    merge_id: UUID,
    merged_at: datetime,
) -> None:
    parameters = changes.parameters(settings, store_id) | {
        "store_id": store_id,
        "profile_id": merge.canonical.id,
        "absorbed": [profile.id for profile in merge.absorbed],
        "people": [merge.canonical.id, *(profile.id for profile in merge.absorbed)],
        "merge_id": merge_id,
        "merged_at": merged_at,
        "rule": merge.rule,
        "moved": json.dumps([_remembered(profile) for profile in (merge.canonical, *merge.absorbed)]),
    }
    await connection.execute(_MERGE, parameters)


async def erase_profiles(connection: AsyncConnection, store_id: UUID, profile_ids: Sequence[UUID]) -> None:
    """With all that any table holds of them: identifiers, traits, aliases and the merges that made them."""
    await connection.execute(_ERASE, {"store_id": store_id, "people": profile_ids})


def _remembered(profile: Profile) -> dict[str, Any]:
    return {
        "id": str(profile.id),
        "identifiers": [
            [identifier.id_type, identifier.value, added_at.isoformat()]
            for identifier, added_at in profile.identifiers.items()
        ],
        "traits": [
            [name.group, name.name, trait.value, trait.written_at.isoformat()] for name, trait in profile.traits.items()
        ],
    }


_PUT_IDENTIFIERS = """
    insert into identifier (store_id, id_type, value, profile_id, is_unique, fuzzy_key, added_at)
    select :store_id, put.id_type, put.value, :profile_id, put.is_unique, put.fuzzy_key, put.added_at
    from unnest(
        cast(:put_types as text[]), cast(:put_values as text[]), cast(:put_uniques as boolean[]),
        cast(:put_fuzzy_keys as bigint[]), cast(:put_times as timestamptz[])
    ) as put (id_type, value, is_unique, fuzzy_key, added_at)
"""

_PUT_TRAITS = """
    insert into trait (store_id, profile_id, group_name, name, value, written_at)
    select :store_id, :profile_id, put.group_name, put.name, cast(put.value as jsonb), put.written_at
    from unnest(
        cast(:trait_groups as text[]), cast(:trait_names as text[]),
        cast(:trait_values as text[]), cast(:trait_times as timestamptz[])
    ) as put (group_name, name, value, written_at)
"""

_CREATE = text(f"""
    with
    created as (
        insert into profile (store_id, id, created_at) values (:store_id, :profile_id, :created_at)
    ),
    identified as ({_PUT_IDENTIFIERS})
    {_PUT_TRAITS}
""")  # noqa: S608 -- made of the constants above

# What goes is gone before what comes is put: `where (select count(*) from gone)` makes the insert wait for the
# deletes, since a unique value may only be on one row at any time.
_AMEND = f"""
    gone as (
        delete from identifier
        where store_id = :store_id
            and profile_id = any (cast(:people as uuid[]))
            and (
                profile_id <> :profile_id
                or (id_type, value) in (
                    select * from unnest(cast(:dropped_types as text[]), cast(:dropped_values as text[]))
                )
            )
        returning 1
    ),
    identified as (
        {_PUT_IDENTIFIERS}
        where (select count(*) from gone) >= 0
        on conflict on constraint identifier_pkey do update set added_at = excluded.added_at
    ),
    forgotten as (
        delete from trait
        where store_id = :store_id
            and profile_id = :profile_id
            and (group_name, name) in (
                select * from unnest(cast(:gone_groups as text[]), cast(:gone_names as text[]))
            )
    ),
    described as (
        {_PUT_TRAITS}
        on conflict on constraint trait_pkey do update set value = excluded.value, written_at = excluded.written_at
    )
"""  # noqa: S608 -- made of the constants above

_UPDATE = text(f"with {_AMEND} select")

_MERGE = text(f"""
    with {_AMEND},
    undescribed as (
        delete from trait where store_id = :store_id and profile_id = any (cast(:absorbed as uuid[]))
    ),
    repointed as (
        update alias set profile_id = :profile_id
        where store_id = :store_id and profile_id = any (cast(:absorbed as uuid[]))
    ),
    aliased as (
        insert into alias (store_id, id, profile_id)
        select :store_id, absorbed.id, :profile_id from unnest(cast(:absorbed as uuid[])) as absorbed (id)
    ),
    recorded as (
        insert into merge (store_id, id, canonical_id, absorbed_ids, rule, moved, merged_at)
        values (
            :store_id, :merge_id, :profile_id, cast(:absorbed as uuid[]), :rule,
            cast(:moved as jsonb), :merged_at
        )
    )
    delete from profile where store_id = :store_id and id = any (cast(:absorbed as uuid[]))
""")  # noqa: S608 -- made of the constants above

_ERASE = text("""
    with
    unidentified as (
        delete from identifier where store_id = :store_id and profile_id = any (cast(:people as uuid[]))
    ),
    undescribed as (
        delete from trait where store_id = :store_id and profile_id = any (cast(:people as uuid[]))
    ),
    unaliased as (
        delete from alias where store_id = :store_id and profile_id = any (cast(:people as uuid[]))
        returning id
    ),
    -- A merge is recorded under who was canonical then, and that may be an alias by now. Locked in order, as by
    -- whoever makes the history forget traits.
    recorded as materialized (
        select id from merge
        where store_id = :store_id
            and canonical_id = any (cast(:people as uuid[]) || array(select id from unaliased))
        order by id
        for update
    ),
    unrecorded as (
        delete from merge where store_id = :store_id and id = any (array(select id from recorded))
    )
    delete from profile where store_id = :store_id and id = any (cast(:people as uuid[]))
""")
