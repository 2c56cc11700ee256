"""The statements of batch lookups. Each also verifies the caller and returns the revision of the rules in force."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.citus.statements import run_in_store
from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.lookup.queries import MAX_PROFILES, lookups_of_one_caller, may_look_up, similarity_threshold
from profile_lookup.stores.rules_cache import StoreRules

LOOKUP_BATCH = run_in_store(
    "lookup_batch",
    lookups_of_one_caller(
        "left join unnest($4::text[], $5::text[]) with ordinality as sought (id_type, value, position) on true"
    ),
    store=3,
)
"""Looks up any number of identifiers. If there are none, one row returns the revision. See `lookups_of_one_caller`."""


class Form(NamedTuple):
    """A string as which an identifier may be stored. `number` counts the identifiers of a batch, from 0.

    `likeness` orders the profiles that have this string among those of the identifier, the highest first. If
    `is_fuzzy`, those with similar values are found, too, whose likeness is their similarity.
    """

    number: int
    identifier: NormalizedIdentifier
    likeness: float
    is_fuzzy: bool


async def profile_ids_by_form(
    connection: AsyncConnection, credentials: Credentials, store: StoreRules, forms: Sequence[Form]
) -> Sequence[Row[int, int | None, list[UUID] | None]]:
    """Return rows (revision, number, profile_ids), in no order and none for an identifier that nobody has.

    If nobody has any, one row has the revision alone. No rows are returned if the caller may not look up.
    """
    configs = [store.settings.config(form.identifier.id_type) for form in forms]
    thresholds = [similarity_threshold(config.matching_threshold) for config in configs]
    fuzzy_keys = [fuzzy_key(store.settings, store.id, config.id_type) for config in configs]
    parameters = {
        "sid": credentials.sid,
        "secret_sha256": credentials.secret_sha256,
        "store_id": store.id,
        "numbers": [form.number for form in forms],
        "id_types": [form.identifier.id_type for form in forms],
        "values": [form.identifier.value for form in forms],
        "likenesses": [form.likeness for form in forms],
        "fuzzy_keys": [key if form.is_fuzzy else None for form, key in zip(forms, fuzzy_keys, strict=True)],
        "thresholds": [float(each) for each in thresholds],
        "lowest_threshold": min(thresholds, default="1"),  # as text, all of the same length
        "max_profiles": MAX_PROFILES,
    }
    return (await connection.execute(_PROFILE_IDS_BY_FORM, parameters)).all()


# `%` compares with a threshold that is a setting of the session. It is set for this statement alone, to the lowest of
# all types, before any form is searched; then each similarity is compared with the threshold of its own type. For the
# rest see `queries.similar_profile_ids`, which searches one value.
_PROFILE_IDS_BY_FORM = text(f"""
    with caller as materialized (
        select store.id, store.revision
        from credential
        join store on store.account_id = credential.account_id
        where {may_look_up(":sid", ":secret_sha256", ":store_id")}
    ),
    threshold as materialized (
        select set_config('pg_trgm.similarity_threshold', :lowest_threshold, true) as is_set
    ),
    found as (
        select form.number, holder.profile_id, max(holder.likeness) as likeness
        from caller
        cross join threshold
        cross join unnest(
            cast(:numbers as bigint[]), cast(:id_types as text[]), cast(:values as text[]),
            cast(:likenesses as double precision[]), cast(:fuzzy_keys as bigint[]),
            cast(:thresholds as double precision[])
        ) as form (number, id_type, value, likeness, fuzzy_key, threshold)
        cross join lateral (
            (
                select identifier.profile_id, form.likeness
                from identifier
                where identifier.store_id = :store_id
                    and identifier.id_type = form.id_type
                    and identifier.value = form.value
                order by identifier.shared_by
                limit :max_profiles
            )
            union all
            select similar_one.profile_id, similar_one.likeness
            from (
                select identifier.*, cast(similarity(identifier.value, form.value) as double precision) as likeness
                from identifier
                where identifier.fuzzy_key = form.fuzzy_key
                    and identifier.store_id is not distinct from :store_id
                    and identifier.value % form.value
                    and threshold.is_set is not null
                    and show_trgm(form.value) <> '{{}}'
                offset 0
            ) as similar_one
            where similar_one.id_type = form.id_type
                and similar_one.likeness >= form.threshold
        ) as holder
        group by form.number, holder.profile_id
    )
    select caller.revision, answer.number, answer.profile_ids
    from caller
    left join (
        select found.number,
            (array_agg(found.profile_id order by found.likeness desc, found.profile_id))[1\\:{MAX_PROFILES}]
                as profile_ids
        from found
        group by found.number
    ) as answer on true
""")  # noqa: S608 -- made of constants
