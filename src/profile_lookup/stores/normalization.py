"""The normalization version by which a store's values were made, in SQL.

Processes of two versions may serve a store at the same time, as during an update. The newer one normalizes the values
anew; what the older one writes meanwhile, or afterwards, has the older form. So before it writes, it takes the store
back, and the newer one knows that it is not done.
"""

from dataclasses import replace
from uuid import UUID

from sqlalchemy import null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.documents import blocked_values_document
from profile_lookup.database.tables import operation, store
from profile_lookup.identity.values.normalization_version import CURRENT, NormalizationVersion
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queue import enqueue
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import share_rules_lock


async def set_normalization(
    connection: AsyncConnection, account_id: UUID, store_id: UUID, version: NormalizationVersion, kept_values: int
) -> None:
    """Store the version, and how many values are kept though its rules refuse them. It is one of the store's rules.

    It is the oldest version by which values may have been made. An operation that is under way does not claim them.
    """
    await connection.execute(
        update(store)
        .where(store.c.account_id == account_id, store.c.id == store_id)
        .values(
            normalization=version.to_document(),
            kept_values=kept_values,
            renormalized_by=null(),
            revision=store.c.revision + 1,
        )
    )


async def begin_renormalization(connection: AsyncConnection, rules: StoreRules) -> None:
    """Store that this version normalizes the values anew. The caller holds the exclusive lock on the store's rules."""
    await connection.execute(
        update(store)
        .where(store.c.account_id == rules.account_id, store.c.id == rules.id)
        .values(renormalized_by=CURRENT.to_document(), revision=store.c.revision + 1)
    )


async def complete_renormalization(connection: AsyncConnection, rules: StoreRules, kept_values: int) -> None:
    """Store that all values, blocked and allowed ones included, are of this version, but for those that are kept."""
    await connection.execute(
        update(store)
        .where(store.c.account_id == rules.account_id, store.c.id == rules.id)
        .values(
            normalization=CURRENT.to_document(),
            kept_values=kept_values,
            blocked_values=blocked_values_document(rules.blocked_values),
            revision=store.c.revision + 1,
        )
    )


async def taken_back(connection: AsyncConnection, rules: StoreRules) -> StoreRules:
    """Return the store as this process may write to it, which is as it is unless a newer version normalizes it.

    Then it gets the version of this process, so that values of both forms are looked for.
    """
    if not rules.is_normalized_by_newer:
        return rules
    await share_rules_lock(connection, rules.id)
    await connection.execute(
        update(store)
        .where(store.c.account_id == rules.account_id, store.c.id == rules.id)
        .values(normalization=CURRENT.to_document(), renormalized_by=null(), revision=store.c.revision + 1)
    )
    return replace(rules, normalization=CURRENT, renormalized_by=None, revision=rules.revision + 1)


async def queue_renormalization(connection: AsyncConnection, account_id: UUID, store_id: UUID) -> None:
    """Queue the operation that normalizes the store's values anew, unless it is queued or under way."""
    unfinished = select(operation.c.id).where(
        operation.c.completed_at.is_(None),
        operation.c.store_id == store_id,
        operation.c.kind == OperationKind.RENORMALIZE_VALUES,
    )
    if (await connection.execute(unfinished.limit(1))).first() is None:
        await enqueue(
            connection,
            account_id,
            store_id,
            kind=OperationKind.RENORMALIZE_VALUES,
            job_input={"version": CURRENT.to_document()},
        )
