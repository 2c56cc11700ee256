"""Changes of a store's identity resolution settings, and previews of them. Each returns the ID of its operation."""

import io
import json
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.blocked_values.wire import BlockedValuesBody
from profile_lookup.database.documents import actor_text, blocked_values_document, settings_document
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.settings_changes.settings_change import SettingsChange
from profile_lookup.identity_settings import queries
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.pieces import stage_file
from profile_lookup.operations.queries import record_completed, unfinished_inputs
from profile_lookup.operations.queue import enqueue
from profile_lookup.operations.quotas import Quotas, refuse_beyond_queue_quota
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.stores.rules_lock import lock_rules, share_rules
from profile_lookup.stores.settings_events import record_settings_change
from profile_lookup.web import ids
from profile_lookup.web.etags import etag, names_a_state, refuse_outdated


async def update(
    connection: AsyncConnection,
    store: StoreRules,
    settings: IdentityResolutionSettings,
    if_match: str | None,
    actor: Actor,
    quotas: Quotas,
) -> UUID:
    """Put other settings in force, at once or by a worker if stored values may have to be rewritten.

    Raises `StoreNotFound`, `Outdated`, `SettingsRefused` or `TooManyOperations`.
    """
    store = await lock_rules(connection, store.account_id, store.id)
    refuse_outdated(if_match, etag(store.settings_version, store.created_at))
    change = SettingsChange(store.settings, settings)
    # An earlier change that still waits may change what this one means, so this one waits, too.
    waits = bool(await unfinished_inputs(connection, store.id, OperationKind.UPDATE_SETTINGS))
    if not waits:
        await queries.refuse_contradictions(connection, store, change)
    if waits or await queries.types_in_use(connection, store, change.rewritten):
        return await _enqueue_update(connection, store, settings, if_match, actor, quotas)
    await queries.replace(connection, store, settings)
    await record_settings_change(connection, store.id, actor)
    return await record_completed(
        connection,
        store.account_id,
        store.id,
        kind=OperationKind.UPDATE_SETTINGS,
        result_id=ids.store_id(store.id),
    )


async def preview(
    connection: AsyncConnection,
    store: StoreRules,
    settings: IdentityResolutionSettings,
    blocked_values: BlockedValuesBody | None,
    quotas: Quotas,
) -> UUID:
    """Enqueue a preview of these settings and blocked values. Without `blocked_values`, those in force count.

    Raises `StoreNotFound`, `RequestRefused` or `TooManyOperations`.
    """
    store = await share_rules(connection, store.account_id, store.id)
    await refuse_beyond_queue_quota(connection, store.account_id, store.id, quotas)
    operation = await enqueue(
        connection,
        store.account_id,
        store.id,
        kind=OperationKind.PREVIEW_SETTINGS,
        job_input={"settings": settings_document(settings)},
    )
    if blocked_values is not None:
        document = json.dumps(blocked_values_document(blocked_values.to_domain(store.settings)))
        await stage_file(connection, store.account_id, operation, io.BytesIO(document.encode()))
    return operation


async def _enqueue_update(
    connection: AsyncConnection,
    store: StoreRules,
    settings: IdentityResolutionSettings,
    if_match: str | None,
    actor: Actor,
    quotas: Quotas,
) -> UUID:
    await refuse_beyond_queue_quota(connection, store.account_id, store.id, quotas)
    job_input = {
        "settings": settings_document(settings),
        "expected_version": store.settings_version if names_a_state(if_match) else None,
        "actor": actor_text(actor),
    }
    return await enqueue(
        connection, store.account_id, store.id, kind=OperationKind.UPDATE_SETTINGS, job_input=job_input
    )
