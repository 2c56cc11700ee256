"""Identity resolution settings in SQL, and whether the stored identifiers fit them."""

from collections.abc import Sequence

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import blocked_values_document, settings_document
from profile_lookup.database.tables import store as store_table
from profile_lookup.errors import SettingsRefused
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.settings_changes.settings_change import SettingsChange
from profile_lookup.stores.rules_cache import StoreRules


async def types_in_use(connection: AsyncConnection, store: StoreRules, id_types: Sequence[str]) -> list[str]:
    """Return the identifier types of which the store holds identifiers."""
    parameters = {"store_id": store.id, "id_types": id_types}
    return list((await connection.execute(_TYPES_IN_USE, parameters)).scalars())


_TYPES_IN_USE = text("""
    select given.id_type
    from unnest(cast(:id_types as text[])) with ordinality as given (id_type, position)
    cross join lateral (
        select from identifier
        where identifier.store_id = :store_id and identifier.id_type = given.id_type
        limit 1
    ) as used
    order by given.position
""")


async def count_shared_values(connection: AsyncConnection, store: StoreRules, id_type: str) -> int:
    """Return how many values of a type are on more than one profile."""
    count: int = (
        await connection.execute(_COUNT_SHARED_VALUES, {"store_id": store.id, "id_type": id_type})
    ).scalar_one()
    return count


_COUNT_SHARED_VALUES = text("""
    select count(*)
    from (
        select from identifier
        where store_id = :store_id and id_type = :id_type
        group by value
        having count(*) > 1
    ) as shared
""")


async def refuse_contradictions(connection: AsyncConnection, store: StoreRules, change: SettingsChange) -> None:
    """Raise `SettingsRefused` if the change contradicts stored identifiers. Normalization is checked elsewhere."""
    if in_use := await types_in_use(connection, store, change.removed):
        raise SettingsRefused(
            f"identifierConfigs: identifiers of {', '.join(in_use)} are stored; expected these types to stay"
        )
    for id_type in change.made_unique:
        if id_type not in change.renormalized and (count := await count_shared_values(connection, store, id_type)):
            raise shared_values_refusal(id_type, count)


def shared_values_refusal(id_type: str, count: int) -> SettingsRefused:
    return SettingsRefused(
        f"enforceUnique: {count} value{'s' if count > 1 else ''} of {id_type} would be shared by several profiles; "
        "expected none"
    )


async def replace(connection: AsyncConnection, store: StoreRules, settings: IdentityResolutionSettings) -> None:
    """Put these settings in force, and adapt the blocked values to them.

    The caller holds the exclusive lock on the store's rules.
    """
    blocked_values = store.blocked_values.adapted_to(settings)
    await connection.execute(
        update(store_table)
        .where(store_table.c.account_id == store.account_id, store_table.c.id == store.id)
        .values(
            settings=settings_document(settings),
            settings_version=store.settings_version + 1,
            blocked_values=blocked_values_document(blocked_values),
            blocked_values_version=store.blocked_values_version + (blocked_values != store.blocked_values),
            revision=store.revision + 1,
        )
    )
