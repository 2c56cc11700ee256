"""The statements of lookups. Each also verifies the caller and returns the revision of the rules in force."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.accounts.verification import MAY_LOOK_UP, MAY_USE_STORE, verified
from profile_lookup.database.citus.statements import run_in_store
from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.stores.rules_cache import StoreRules

MAX_PROFILES = 100
"""The most profiles that a Lookup returns."""
EQUAL = 2.0
"""The likeness of an equal value: more than any similarity. That of the same words in another order is 1."""


def may_look_up(sid: str, secret_sha256: str, store_id: str) -> str:
    """Return the condition that a caller may look up in a store; the arguments are SQL expressions."""
    return f"""
        {verified(sid, secret_sha256)}
        and {MAY_LOOK_UP}
        and store.id = {store_id}
        and store.status = 'ACTIVE'
        and {MAY_USE_STORE}
    """


# Values that many profiles share are in the order of `shared_by`, which is that of the profiles' IDs, and that of the
# index. A unique value has one holder.
LOOKUP = run_in_store(
    "lookup",
    f"""
    select
        store.revision,
        array(
            select identifier.profile_id
            from identifier
            where identifier.store_id = $3
                and identifier.id_type = $4
                and identifier.value = $5
            order by identifier.shared_by
            limit {MAX_PROFILES}
        ) as profile_ids
    from credential
    join store on store.account_id = credential.account_id
    where {may_look_up("$1", "$2", "$3")}
""",  # noqa: S608 -- made of constants
    store=3,
)
"""Returns the profiles that have an identifier, earliest first, and the revision; no row if the caller may not look up.

$1 SID and $2 digest of the caller, $3 store, $4 type and $5 value of the identifier.
"""


def lookups_of_one_caller(with_identifiers: str) -> str:
    """Return the statement of lookups whose caller is joined with the identifiers in this way.

    $1 SID and $2 digest of the caller, $3 store, $4 types and $5 values of the identifiers. It returns a row for each
    identifier, in order; no rows if the caller may not look up.
    """
    # `offset 0` separates the search for the caller: it is done once, whatever the planner believes of the tables.
    return f"""
    select
        caller.revision,
        array(
            select identifier.profile_id
            from identifier
            where identifier.store_id = $3
                and identifier.id_type = sought.id_type
                and identifier.value = sought.value
            order by identifier.shared_by
            limit {MAX_PROFILES}
        ) as profile_ids
    from (
        select store.revision
        from credential
        join store on store.account_id = credential.account_id
        where {may_look_up("$1", "$2", "$3")}
        offset 0
    ) as caller
    {with_identifiers}
    order by sought.position
"""  # noqa: S608 -- made of constants


LOOKUPS_OF_ONE_CALLER = run_in_store(
    "lookups_of_one_caller",
    lookups_of_one_caller(
        "cross join unnest($4::text[], $5::text[]) with ordinality as sought (id_type, value, position)"
    ),
    store=3,
)
"""Looks up at least one identifier. See `lookups_of_one_caller`."""

# `offset 0` makes PostgreSQL probe the indexes for one caller after the other, whatever the planner believes.
LOOKUPS = f"""
    with caller as materialized (
        select presented.number, admitted.id, admitted.revision
        from unnest($1::text[], $2::bytea[], $3::uuid[])
            with ordinality as presented (sid, secret_sha256, store_id, number)
        cross join lateral (
            select store.id, store.revision
            from credential
            join store on store.account_id = credential.account_id
            where {may_look_up("presented.sid", "presented.secret_sha256", "presented.store_id")}
            offset 0
        ) as admitted
    )
    select
        caller.revision,
        array(
            select identifier.profile_id
            from identifier
            where identifier.store_id = caller.id
                and identifier.id_type = sought.id_type
                and identifier.value = sought.value
            order by identifier.shared_by
            limit {MAX_PROFILES}
        ) as profile_ids
    from unnest($4::bigint[], $5::text[], $6::text[]) with ordinality as sought (caller, id_type, value, position)
    left join caller on caller.number = sought.caller
    order by sought.position
"""  # noqa: S608 -- made of constants
"""Looks up several identifiers of several callers: returns a row for each, in order, whose revision is null if its
caller may not look up.

$1 SIDs, $2 digests and $3 stores of the callers; of each identifier its $4 caller, from 1, $5 type and $6 value.
"""


async def profile_ids_of_any(
    connection: AsyncConnection,
    credentials: Credentials,
    store: StoreRules,
    identifiers: Sequence[NormalizedIdentifier],
) -> Row[int, list[UUID]] | None:
    """Return (revision, profile_ids) as LOOKUP does, of profiles that have any of these values of one type."""
    parameters = {
        "sid": credentials.sid,
        "secret_sha256": credentials.secret_sha256,
        "store_id": store.id,
        "id_type": identifiers[0].id_type,
        "values": [identifier.value for identifier in identifiers],
        "max_profiles": MAX_PROFILES,
    }
    return (await connection.execute(_PROFILE_IDS_OF_ANY, parameters)).one_or_none()


_PROFILE_IDS_OF_ANY = text(f"""
    select
        store.revision,
        array(
            select distinct identifier.profile_id
            from identifier
            where identifier.store_id = :store_id
                and identifier.id_type = :id_type
                and identifier.value = any (cast(:values as text[]))
            order by identifier.profile_id
            limit :max_profiles
        ) as profile_ids
    from credential
    join store on store.account_id = credential.account_id
    where {may_look_up(":sid", ":secret_sha256", ":store_id")}
""")  # noqa: S608 -- made of constants


async def similar_profile_ids(
    connection: AsyncConnection,
    credentials: Credentials,
    store: StoreRules,
    identifier: NormalizedIdentifier,
) -> Row[int, list[UUID]] | None:
    """Return (revision, profile_ids) as LOOKUP does, for values at least as similar as the type's threshold.

    The profile with an equal value comes first, and then those with the most similar values.
    """
    parameters = {
        "sid": credentials.sid,
        "secret_sha256": credentials.secret_sha256,
        "store_id": store.id,
        "id_type": identifier.id_type,
        "value": identifier.value,
        "max_profiles": MAX_PROFILES,
        "equal": EQUAL,
        "fuzzy_key": fuzzy_key(store.settings, store.id, identifier.id_type),
        "threshold": similarity_threshold(store.settings.config(identifier.id_type).matching_threshold),
    }
    return (await connection.execute(_SIMILAR_PROFILE_IDS, parameters)).one_or_none()


def similarity_threshold(percent: int) -> str:
    """Return the number that a similarity must at least be, for `pg_trgm.similarity_threshold`.

    It is a little less, because it is compared with a single-precision number, whose 0.7 is less than that of a double.
    No two similarities of values of 255 characters are that close to each other.
    """
    return f"{percent / 100 - 1e-6:.6f}"


# `%` compares with a threshold that is a setting of the session. It is set for this statement alone, in a row that the
# search is joined to, and so before the search begins. `offset 0` separates the search, which can then use no index but
# that of trigrams. Once in 2**64, its key also stands for another store or type, so these are compared afterwards. An
# equal value is always found, and first. A value of punctuation alone has no trigrams, and the whole index would be
# read for it, so no similar values are searched for.
_SIMILAR_PROFILE_IDS = text(f"""
    with threshold as materialized (
        select set_config('pg_trgm.similarity_threshold', :threshold, true) as is_set
    )
    select
        store.revision,
        array(
            select found.profile_id
            from (
                select similar_one.profile_id, similarity(similar_one.value, :value) as likeness
                from threshold
                cross join lateral (
                    select identifier.*
                    from identifier
                    where identifier.fuzzy_key = :fuzzy_key
                        and identifier.store_id is not distinct from :store_id
                        and identifier.value % :value
                        and threshold.is_set is not null
                        and show_trgm(:value) <> '{{}}'
                    offset 0
                ) as similar_one
                where similar_one.id_type = :id_type
                union all
                select equal_one.profile_id, cast(:equal as real)
                from identifier as equal_one
                where equal_one.store_id = :store_id
                    and equal_one.id_type = :id_type
                    and equal_one.value = :value
            ) as found
            group by found.profile_id
            order by max(found.likeness) desc, found.profile_id
            limit :max_profiles
        ) as profile_ids
    from credential
    join store on store.account_id = credential.account_id
    where {may_look_up(":sid", ":secret_sha256", ":store_id")}
""")  # noqa: S608 -- made of constants
