"""Changes of a store's trait groups: which definitions are allowed, and the deletion of values of removed traits.

Each change takes the exclusive lock on the store's rules, in the request's transaction, and returns its operation's ID.
`actor` is who asked for it: an event says so.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import trait_group_of
from profile_lookup.errors import DefinitionProtected, DefinitionRefused, StillBeingRemoved
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import CONTACT, TraitDefinition, TraitGroup
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queries import record_completed, unfinished_inputs
from profile_lookup.operations.queue import enqueue
from profile_lookup.operations.quotas import Quotas, refuse_beyond_queue_quota
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.stores.settings_events import record_settings_change
from profile_lookup.trait_groups import queries
from profile_lookup.web.etags import etag, refuse_outdated


async def create(
    connection: AsyncConnection, store: StoreRules, group: TraitGroup, description: str | None, actor: Actor
) -> UUID:
    """Create a trait group.

    Raises `DefinitionRefused`, `StillBeingRemoved`, `TraitGroupNameTaken` or `TraitGroupLimitReached`.
    """
    store = await lock_rules(connection, store.account_id, store.id)
    _refuse_unknown_promotions(store.settings, group.traits.values())
    await _refuse_while_removed(connection, store, group.name, group.traits)
    await queries.create(connection, store, group, description)
    await record_settings_change(connection, store.id, actor)
    return await record_completed(
        connection, store.account_id, store.id, kind=OperationKind.CREATE_TRAIT_GROUP, result_id=group.name
    )


async def amend(
    connection: AsyncConnection,
    store: StoreRules,
    name: str,
    changes: Mapping[str, TraitDefinition | None],
    description: str | None,
    if_match: str | None,
    actor: Actor,
    quotas: Quotas | None = None,
) -> UUID:
    """Change a trait group. None removes a trait and all its values; if `description` is None, it stays as it is.

    Without `quotas`, any number of operations may be unfinished.

    Raises `TraitGroupNotFound`, `Outdated`, `DefinitionRefused`, `DefinitionProtected`, `TraitLimitReached`,
    `StillBeingRemoved` or `TooManyOperations`.
    """
    store = await lock_rules(connection, store.account_id, store.id)
    row = await queries.fetch(connection, store, name)
    refuse_outdated(if_match, etag(row.version, row.created_at))
    before = trait_group_of(name, row.traits)
    # A trait may keep its promotion, even if the store does not have that identifier type any more.
    new = [
        definition
        for trait, definition in changes.items()
        if definition is not None and (trait not in before.traits or not definition.identifies_as(before.traits[trait]))
    ]
    _refuse_unknown_promotions(store.settings, new)
    after = before.amended(changes)
    await _refuse_while_removed(connection, store, name, changes.keys() - before.traits.keys())
    await queries.replace(connection, store, row, after, row.description if description is None else description)
    await record_settings_change(connection, store.id, actor)
    if removed := sorted(before.traits.keys() - after.traits.keys()):
        return await _enqueue_deletion(connection, store, name, removed, quotas)
    return await record_completed(
        connection, store.account_id, store.id, kind=OperationKind.UPDATE_TRAIT_GROUP, result_id=name
    )


async def remove(connection: AsyncConnection, store: StoreRules, name: str, actor: Actor, quotas: Quotas) -> UUID:
    """Remove a trait group and all values of its traits.

    Raises `TraitGroupNotFound`, `DefinitionProtected` or `TooManyOperations`.
    """
    store = await lock_rules(connection, store.account_id, store.id)
    await queries.fetch(connection, store, name)
    if name == CONTACT.name:
        raise DefinitionProtected(name)
    await queries.remove(connection, store, name)
    await record_settings_change(connection, store.id, actor)
    return await _enqueue_deletion(connection, store, name, None, quotas)


async def _enqueue_deletion(
    connection: AsyncConnection, store: StoreRules, group: str, traits: list[str] | None, quotas: Quotas | None
) -> UUID:
    if quotas is not None:
        await refuse_beyond_queue_quota(connection, store.account_id, store.id, quotas)
    job_input = {"group": group, "traits": traits}
    return await enqueue(connection, store.account_id, store.id, kind=OperationKind.FORGET_TRAITS, job_input=job_input)


def _refuse_unknown_promotions(settings: IdentityResolutionSettings, definitions: Iterable[TraitDefinition]) -> None:
    for definition in definitions:
        if definition.id_type_promotion not in (None, *settings.id_types):
            raise DefinitionRefused(
                f"idTypePromotion: not configured in this store; expected one of {', '.join(settings.id_types)}"
            )


async def _refuse_while_removed(
    connection: AsyncConnection, store: StoreRules, group: str, added: Iterable[str]
) -> None:
    """Raise `StillBeingRemoved` if a worker still has to delete values of a trait that is defined anew."""
    added = set(added)
    for removal in await unfinished_inputs(connection, store.id, OperationKind.FORGET_TRAITS):
        if removal["group"] == group and (removal["traits"] is None or added & set(removal["traits"])):
            raise StillBeingRemoved
