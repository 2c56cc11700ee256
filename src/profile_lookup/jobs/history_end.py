"""Ends history: what is needed to undo an event is deleted after the time for which history is kept.

The oldest events of a store end first, in small steps, so that what is left has no gaps. Their numbers ascend with
time, so a step begins after the number at which the one before has stopped. Events of erased profiles and of the store
itself keep nothing that could end.
"""

from datetime import datetime, timedelta
from itertools import takewhile
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.database.driver import is_distributed
from profile_lookup.database.event_rows import NumberedEvent, lock_people, next_events, rewrite
from profile_lookup.database.pool import Database
from profile_lookup.errors import StoreNotFound
from profile_lookup.identity.history.forgetting import ended
from profile_lookup.stores.rules_lock import share_rules

EVENTS_PER_STEP = 200
"""A step takes some tens of milliseconds, during which only writes to the profiles of these events wait for it."""


async def end_history(database: Database, kept_for: timedelta) -> None:
    """End the history of all stores before `kept_for` ago.

    If several processes do so, each leaves a store to the one that is at it.
    """
    before = CLOCK.now() - kept_for
    async with database.statements() as connection:
        if await is_distributed(connection):  # one statement would have to read all nodes
            stores = (await connection.execute(_ACTIVE_STORES)).all()
        else:
            stores = (await connection.execute(_STORES, {"before": before})).all()
    for account_id, store_id in stores:
        is_left = True
        while is_left:
            async with database.transaction() as connection:
                is_left = await _end_next(connection, account_id, store_id, before)


async def _end_next(connection: AsyncConnection, account_id: UUID, store_id: UUID, before: datetime) -> bool:
    """End the next events of a store, and return whether it may go on at once."""
    try:
        await share_rules(connection, account_id, store_id)
    except StoreNotFound:
        return False
    await connection.execute(_BEGIN, {"store_id": store_id})
    after = await connection.scalar(_LOCK_POSITION, {"store_id": store_id})
    if after is None:
        return False
    events = await _next_events(connection, store_id, after, before)
    known = {number for number, _ in events}
    if not known or not await lock_people(connection, store_id, {event.profile_id for _, event in events}):
        return False
    # The events are read again, since a write may have changed them before we held the locks.
    events = [each for each in await _next_events(connection, store_id, after, before) if each.number in known]
    await rewrite(connection, store_id, [NumberedEvent(number, ended(event)) for number, event in events])
    await connection.execute(_SAVE_POSITION, {"store_id": store_id, "number": max(known)})
    return True


async def _next_events(
    connection: AsyncConnection, store_id: UUID, after: int, before: datetime
) -> list[NumberedEvent]:
    events = await next_events(connection, store_id, after, EVENTS_PER_STEP)
    return list(takewhile(lambda each: each.event.at < before, events))


_STORES = text("""
    select store.account_id, store.id
    from store
    left join history_end on history_end.store_id = store.id
    cross join lateral (
        select event.happened_at from event
        where event.store_id = store.id and event.number > coalesce(history_end.number, 0)
            and event.profile_id is not null and event.kind <> 'erased'
        order by event.number
        limit 1
    ) as oldest
    where store.status = 'ACTIVE' and oldest.happened_at < :before
""")

_ACTIVE_STORES = text("select account_id, id from store where status = 'ACTIVE'")

_BEGIN = text("insert into history_end (store_id, number) values (:store_id, 0) on conflict do nothing")

_LOCK_POSITION = text("select number from history_end where store_id = :store_id for update skip locked")

_SAVE_POSITION = text("update history_end set number = :number where store_id = :store_id")
