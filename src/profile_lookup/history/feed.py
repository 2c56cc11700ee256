"""Puts the new events of a store into the order of its feed, which `feed_order.py` decides.

Requests that read the feed do this, after the writes were committed, so that no write waits for it. Of the requests for
one store, one at a time does it.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.statements import in_store
from profile_lookup.database.pool import Database
from profile_lookup.history.feed_order import Advance, FeedState, Mark, Position, Sight, advance
from profile_lookup.stores.rules_lock import store_key

MOST_UNSETTLED = 10_000
"""How many events above the settled number are put into their order together, and stand in a row of `event_feed`."""

_HIGHEST = 2**63 - 1
_LOW_BITS = 2**32 - 1


async def advance_feed(database: Database, store_id: UUID) -> Position | None:
    """Put all committed events of the store into its feed, and return the feed's end, or None if there is no store.

    If there is nothing new, this is one query that writes nothing.
    """
    async with database.statements() as connection:
        seen = await _look(connection, store_id, Mark(0, _HIGHEST))
    is_stalled = not seen.sight.is_whole
    if seen.state is not None and not is_stalled and advance(seen.state, seen.sight).state == seen.state:
        return seen.state.end
    async with database.transaction() as connection:
        transaction = await _lock(connection, store_id)
        if transaction is None:
            return None
        ended = await _ended_in_store(connection, store_id, transaction) if is_stalled else 0
        # The transaction got its ID after `drawn` was read, as a mark needs it.
        seen = await _look(connection, store_id, Mark(transaction, seen.drawn))
        assert seen.state is not None  # its row is locked
        sight = replace(seen.sight, ended=max(seen.sight.ended, ended))
        advanced = advance(seen.state, sight)
        await _save(connection, store_id, seen.state, advanced)
        return advanced.state.end


@dataclass(frozen=True, slots=True)
class _Look:
    """What one statement found. `state` is None if nobody has read the feed yet; `drawn` is the last number drawn."""

    state: FeedState | None
    sight: Sight
    drawn: int


async def _look(connection: AsyncConnection, store_id: UUID, next_mark: Mark) -> _Look:
    """Return the state and the events that are visible now, up to the number of `next_mark`."""
    parameters = {"store_id": store_id, "up_to": next_mark.number, "most": MOST_UNSETTLED}
    row = (await connection.execute(_LOOK, parameters)).one()
    state = None
    if row.settled is not None:
        mark = Mark(row.mark_transaction, row.mark_number)
        state = FeedState(Position(row.batch, row.batch_up_to), row.settled, tuple(row.unsettled), mark)
    numbers = row.numbers or []
    sight = Sight(numbers, len(numbers) < MOST_UNSETTLED, row.ended, row.unended, next_mark)
    return _Look(state, sight, row.drawn)


async def _lock(connection: AsyncConnection, store_id: UUID) -> int | None:
    """Lock the state of the feed, and return the ID of this transaction, or None if there is no store."""
    transaction = await connection.scalar(_LOCK, {"store_id": store_id})
    if transaction is None:
        await connection.execute(_BEGIN, {"store_id": store_id})
        transaction = await connection.scalar(_LOCK, {"store_id": store_id})
    return None if transaction is None else int(transaction)


async def _ended_in_store(connection: AsyncConnection, store_id: UUID, transaction: int) -> int:
    """Return the ID of a transaction before which all writes to the store have ended. `transaction` is that of our own.

    A transaction elsewhere, such as one that changes all values of another store, may take hours, and must not stall
    this feed. Every write to the store holds the lock on its rules. A write that takes the lock later draws higher
    numbers than those of all marks so far. The locks must be read before the events: otherwise, the events of a write
    that ends between the two would be overlooked.
    """
    key = store_key(store_id)
    parameters = {"high": key >> 32 & _LOW_BITS, "low": key & _LOW_BITS, "own": transaction, "store_id": store_id}
    age = await connection.scalar(_OLDEST_WRITE, parameters)
    return transaction if age is None else transaction - int(age)


async def _save(connection: AsyncConnection, store_id: UUID, before: FeedState, advanced: Advance) -> None:
    state = advanced.state
    if state == before:  # another transaction was faster
        return
    parameters = {
        "store_id": store_id,
        "settled": state.settled,
        "unsettled": state.unsettled,
        "mark_transaction": state.mark.transaction,
        "mark_number": state.mark.number,
    }
    await connection.execute(_SAVE_STATE, parameters)
    batch = {"store_id": store_id, "batch": state.end.batch, "up_to": state.end.number}
    if advanced.late:
        await connection.execute(_ADD_BATCH, batch | {"late": advanced.late, "settled": before.settled})
    elif state.end != before.end:
        await connection.execute(_EXTEND_BATCH, batch)


# The lateral subqueries read two indexes from the settled number on, and no further than the limit.
_LOOK = in_store(
    "look_at_feed",
    """
    select
        feed.settled, feed.unsettled, feed.mark_transaction, feed.mark_number,
        ending.batch, ending.up_to as batch_up_to, seen.numbers, drawn.number as drawn,
        cast(cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as bigint) as ended,
        cast(cast(pg_snapshot_xmax(pg_current_snapshot()) as text) as bigint) as unended
    from (select case when is_called then last_value else 0 end as number from event_number) drawn
    left join event_feed feed on feed.store_id = :store_id
    left join lateral (
        select batch, up_to from event_batch where store_id = feed.store_id order by batch desc limit 1
    ) ending on true
    left join lateral (
        select array_agg(visible.number order by visible.number) as numbers
        from (
            (
                select number from event
                where store_id = feed.store_id and number > feed.settled and number <= :up_to
                order by number limit :most
            )
            union all
            (
                select creation_number from profile
                where store_id = feed.store_id and creation_number > feed.settled and creation_number <= :up_to
                order by creation_number limit :most
            )
            order by number limit :most
        ) visible
    ) seen on true
""",
)

# A lock shows the lower half of the transaction's ID. From that follows how much older or younger than ours it is.
_OLDEST_WRITE = in_store(
    "oldest_write",
    """
    select max(age)
    from (
        select mod(:own - cast(cast(writing.transactionid as text) as bigint) + 4294967296, 4294967296) as age
        from pg_locks held
        join pg_locks writing on writing.virtualtransaction = held.virtualtransaction
        where held.locktype = 'advisory' and held.objsubid = 1
            and held.database = (select oid from pg_database where datname = current_database())
            and held.classid = cast(:high as oid) and held.objid = cast(:low as oid)
            and writing.locktype = 'transactionid' and writing.mode = 'ExclusiveLock' and writing.granted
    ) writes
    where age < 2147483648 and cast(:store_id as uuid) is not null
""",
)

_LOCK = in_store(
    "lock_feed",
    """
    select cast(cast(pg_current_xact_id() as text) as bigint) from event_feed where store_id = :store_id for update
""",
)

# The store is locked, so that nothing is left behind if it is being deleted.
_BEGIN = in_store(
    "begin_feed",
    """
    with reading as (
        select id from store where id = :store_id for key share
    ),
    first_batch as (
        insert into event_batch (store_id, batch, up_to, late, settled)
        select id, 1, 0, '{}', 0 from reading
        on conflict do nothing
    )
    insert into event_feed (store_id, settled, unsettled, mark_transaction, mark_number)
    select id, 0, '{}', 0, 0 from reading
    on conflict do nothing
""",
)

_SAVE_STATE = text("""
    update event_feed
    set
        settled = :settled, unsettled = cast(:unsettled as bigint[]),
        mark_transaction = :mark_transaction, mark_number = :mark_number
    where store_id = :store_id
""")

_EXTEND_BATCH = text("update event_batch set up_to = :up_to where store_id = :store_id and batch = :batch")

_ADD_BATCH = text("""
    insert into event_batch (store_id, batch, up_to, late, settled)
    values (:store_id, :batch, :up_to, cast(:late as bigint[]), :settled)
""")
