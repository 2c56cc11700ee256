"""Changes of what a store blocks: they are in force at once, and an operation removes what is blocked."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.blocked_values import queries
from profile_lookup.identity.blocked_values import BlockedValues
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.identifier import Identifier
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue
from profile_lookup.operations.quotas import Quotas, refuse_beyond_queue_quota
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.stores.settings_events import record_settings_change


async def block_more(
    connection: AsyncConnection, store: StoreRules, values: Sequence[Identifier], actor: Actor, quotas: Quotas
) -> UUID:
    """Block values beside those that the store blocks, and return the ID of the operation that removes them.

    Raises `RequestRefused` for a value that cannot be blocked, `StoreNotFound` or `TooManyOperations`.
    """
    store = await lock_rules(connection, store.account_id, store.id)
    await refuse_beyond_queue_quota(connection, store.account_id, store.id, quotas)
    return await put_in_force(connection, store, store.blocked_values.with_values(store.settings, values), actor)


async def put_in_force(
    connection: AsyncConnection, store: StoreRules, blocked_values: BlockedValues, actor: Actor
) -> UUID:
    """Replace what a store blocks, and return the ID of the operation that removes it from all profiles.

    The caller holds the exclusive lock on the store's rules.
    """
    await queries.replace(connection, store, blocked_values)
    await record_settings_change(connection, store.id, actor)
    return await enqueue(connection, store.account_id, store.id, kind=OperationKind.UPDATE_BLOCKED_VALUES, job_input={})
