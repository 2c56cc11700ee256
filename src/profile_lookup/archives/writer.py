"""Reads a whole store as the content of an archive, in one snapshot and in constant memory."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.archives.wire.event import ArchivedEvent, ArchivedSeparation
from profile_lookup.archives.wire.lines import ArchivedNormalization, ArchivedProfile, ArchiveHeader
from profile_lookup.archives.wire.person import ArchivedActor
from profile_lookup.blocked_values.wire import BlockedValuesBody
from profile_lookup.database.citus.statements import in_store
from profile_lookup.database.documents import actor_of, trait_group_of
from profile_lookup.identity.history.event_document import event_of_document
from profile_lookup.identity.history.forgetting import traits_of, without_traits
from profile_lookup.identity.trait_definitions import TraitGroup
from profile_lookup.identity_settings.wire import IdentifierConfigBody, IdentityResolutionSettingsBody
from profile_lookup.ingest.locked_profiles import is_defined, profile_of
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.trait_groups import queries as trait_groups
from profile_lookup.trait_groups.wire import TraitDefinitionBody, TraitGroupRequest
from profile_lookup.web import ids

PROFILES_PER_BATCH = 500
"""The profiles that are in memory at a time."""


async def header_of(connection: AsyncConnection, store: StoreRules) -> ArchiveHeader:
    query = trait_groups.groups_of(store).order_by(*trait_groups.KEY.columns)
    groups = (await connection.execute(query)).all()
    await connection.execute(text("set local statement_timeout = 0"))
    counts = (await connection.execute(_COUNTS, {"store_id": store.id})).one()
    settings = store.settings
    return ArchiveHeader(
        store=ids.store_id(store.id),
        profiles=counts.profiles,
        events=counts.events,
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
    for setting in _FOR_ALL_ROWS:
        await connection.execute(text(f"set local {setting}"))
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
        created_by=ArchivedActor.of_domain(actor_of(row.created_by)),
        creation_number=row.creation_place,
        aliases=row.aliases,
        events=list(_events(row, groups)),
        separations=list(_separations(row)),
    )


def _events(row: Row[Any], groups: Mapping[str, TraitGroup]) -> Iterator[ArchivedEvent]:
    """Yield the events of a profile, without the values of traits that are no longer defined."""
    columns = (row.event_ids, row.kinds, row.times, row.profile_ids, row.documents)
    rows = zip(*(column or () for column in columns), strict=True)
    for place, (event_id, kind, at, profile_id, document) in zip(row.event_places or (), rows, strict=True):
        event = event_of_document(event_id, kind, at, profile_id, json.loads(document))
        undefined = [each for each in traits_of(event) if not is_defined(groups, each)]
        yield ArchivedEvent.of_domain(place, without_traits(event, undefined))


def _separations(row: Row[Any]) -> Iterator[ArchivedSeparation]:
    columns = (row.separated_ids, row.decisions, row.parts, row.are_lifted, row.decision_times)
    for profile_id, decision, part, is_lifted, at in zip(*(column or () for column in columns), strict=True):
        yield ArchivedSeparation(id=profile_id, decision=decision, part=part, is_lifted=is_lifted, decided_at=at)


# No statement of an export has a time limit. Both orders by profile are merged, since a loop over all numbers for each
# profile would never end, and a hash join would have to be sorted with all that the profiles hold.
_FOR_ALL_ROWS = ("statement_timeout = 0", "enable_nestloop = off", "enable_hashjoin = off")

# Events that tell of erased profiles and of the store belong to no profile. That an import was undone is no part of
# what made a profile, and the events of the import are gone.
_COUNTS = text("""
    select
        (select count(*) from profile where store_id = :store_id) as profiles,
        (select count(creation_number) from profile where store_id = :store_id)
            + (
                select count(*) from event
                where store_id = :store_id and profile_id is not null and kind not in ('erased', 'importUndone')
            ) as events
""")

# The numbers of a store have gaps, since all stores draw from the same sequence. An archive counts without gaps.
_PROFILES = in_store(
    "archived_profiles",
    """
    with numbered as (
        select
            coalesce(alias.profile_id, known.profile_id) as profile_id, known.is_creation,
            row_number() over (order by known.number) as place
        from (
            select profile_id, number, false as is_creation from event
            where store_id = :store_id and profile_id is not null and kind not in ('erased', 'importUndone')
            union all
            select id, creation_number, true from profile
            where store_id = :store_id and creation_number is not null
        ) as known
        left join alias on alias.store_id = :store_id and alias.id = known.profile_id
    ),
    placed as materialized (
        select
            profile_id, min(place) filter (where is_creation) as creation_place,
            array_agg(place order by place) filter (where not is_creation) as event_places
        from numbered
        group by profile_id
    )
    select
        profile.id as profile_id, profile.created_at, profile.created_by, profile.traits, placed.creation_place,
        placed.event_places, aliased.*, identified.*, recorded.*, separated.*
    from profile
    left join placed on placed.profile_id = profile.id
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
    cross join lateral (
        select
            array_agg(known.id) as event_ids,
            array_agg(known.kind) as kinds,
            array_agg(known.happened_at) as times,
            array_agg(known.profile_id) as profile_ids,
            array_agg(cast(known.document as text)) as documents
        from (
            select * from event
            where store_id is not distinct from profile.store_id
                and profile_id = any (aliased.aliases || profile.id) and kind not in ('erased', 'importUndone')
            order by number
        ) as known
    ) as recorded
    cross join lateral (
        select
            array_agg(known.id) as separated_ids,
            array_agg(known.decision) as decisions,
            array_agg(known.part) as parts,
            array_agg(known.is_lifted) as are_lifted,
            array_agg(known.decided_at) as decision_times
        from (
            select * from separation
            where store_id = profile.store_id and profile.is_separated
                and id = any (aliased.aliases || profile.id)
            order by id, decision
        ) as known
    ) as separated
    where profile.store_id = :store_id
    order by profile.id
""",
)
