"""Reads a whole store as the content of an archive, in one snapshot and in constant memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.archives.wire import (
    ArchivedNormalization,
    ArchivedProfile,
    ArchiveHeader,
)
from profile_lookup.blocked_values.wire import BlockedValuesBody
from profile_lookup.database.documents import trait_group_of
from profile_lookup.database.tables import profile
from profile_lookup.identity.trait_definitions import TraitGroup
from profile_lookup.identity_settings.wire import IdentifierConfigBody, IdentityResolutionSettingsBody
from profile_lookup.ingest.identity_locks import profile_of
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.trait_groups import queries as trait_groups
from profile_lookup.trait_groups.wire import TraitDefinitionBody, TraitGroupRequest
from profile_lookup.web import ids

PROFILES_PER_BATCH = 500
"""The profiles that are in memory at a time."""


async def header_of(connection: AsyncConnection, store: StoreRules) -> ArchiveHeader:
    query = trait_groups.groups_of(store).order_by(*trait_groups.KEY.columns)
    groups = (await connection.execute(query)).all()
    await connection.execute(_NO_TIMEOUT)
    profiles = await connection.scalar(select(func.count()).select_from(profile).where(profile.c.store_id == store.id))
    settings = store.settings
    return ArchiveHeader(
        store=ids.store_id(store.id),
        profiles=profiles or 0,
        settings=IdentityResolutionSettingsBody.model_construct(
            identifier_configs=[IdentifierConfigBody.of_domain(config) for config in settings.identifier_configs],
            matching_rules=list(settings.matching_rules),
        ),
        trait_groups=[_archived_group(row) for row in groups],
        normalization=ArchivedNormalization.of_domain(store.normalization, store.kept_values),
        blocked_values=BlockedValuesBody.of_domain(store.blocked_values),
    )


async def profiles_of(connection: AsyncConnection, store: StoreRules) -> AsyncIterator[Sequence[ArchivedProfile]]:
    """Yield all profiles in batches, earliest first, without traits that are no longer defined."""
    await connection.execute(_NO_TIMEOUT)
    options = {"yield_per": PROFILES_PER_BATCH}
    rows = await connection.stream(_PROFILES, {"store_id": store.id}, execution_options=options)
    async for batch in rows.partitions(PROFILES_PER_BATCH):
        yield [_archived(row, store.trait_groups) for row in batch]


def _archived_group(row: Row[Any]) -> TraitGroupRequest:
    definitions = trait_group_of(row.name, row.traits).traits
    return TraitGroupRequest.model_construct(
        display_name=row.name,
        description=row.description,
        traits={name: TraitDefinitionBody.of_domain(definition) for name, definition in definitions.items()},
    )


def _archived(row: Row[Any], groups: Mapping[str, TraitGroup]) -> ArchivedProfile:
    person = profile_of(row, groups)
    return ArchivedProfile.of_domain(
        replace(person, traits=dict(sorted(person.traits.items()))),
        created_at=row.created_at,
        aliases=row.aliases,
        merges=[],
    )


_NO_TIMEOUT = text("set local statement_timeout = 0")

_PROFILES = text("""
    select profile.id as profile_id, profile.created_at, profile.traits, aliased.*, identified.*
    from profile
    cross join lateral (
        select array(
            select id from alias where store_id = profile.store_id and profile_id = profile.id order by id
        ) as aliases
    ) as aliased
    cross join lateral (
        select
            array_agg(known.id_type) as identifier_types,
            array_agg(known.value) as identifier_values,
            array_agg(known.added_at) as identifier_times
        from (
            select * from identifier
            where store_id is not distinct from profile.store_id and profile_id = profile.id
            order by added_at, id_type, value
        ) as known
    ) as identified
    where profile.store_id = :store_id
    order by profile.id
""")
