"""Finds the events on a page of a store's feed, by their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.history.feed_order import Batch, Position, positions

BATCHES_AT_ONCE = 100
START = Position(1, 0)
"""The position before the first event of a feed."""


@dataclass(frozen=True, slots=True)
class FeedPage:
    """The positions of events, and the position after which the next page begins.

    `is_last`: there are no more events for now. The event of a position may be gone, because its person was erased.
    """

    positions: Sequence[Position]
    end: Position
    is_last: bool


async def page_after(connection: AsyncConnection, store_id: UUID, after: Position, size: int) -> FeedPage:
    """Return the page of at most `size` events after this position. `connection` sees one moment."""
    rows = await _batches(connection, store_id, after.batch)
    if not rows:  # the store is gone
        return FeedPage((), after, is_last=True)
    batches = [Batch(row.batch, row.up_to, row.late) for row in rows]
    last = batches[-1]
    above = max(after.number, batches[0].up_to) if batches[0].number < after.batch else after.number
    moved = await _moved(connection, store_id, batches, above)
    parameters = {"store_id": store_id, "above": above, "up_to": last.up_to, "moved": moved, "size": size}
    in_range = list((await connection.execute(_IN_RANGE, parameters)).scalars())
    found = positions(batches, in_range, after, size)
    end = found[-1] if found else max(after, Position(last.number, 0))
    return FeedPage(found, end, is_last=len(found) < size and len(rows) <= BATCHES_AT_ONCE)


async def _batches(connection: AsyncConnection, store_id: UUID, first: int) -> Sequence[Row[Any]]:
    """Return the batches from `first` on, and the one before it, whose end is where `first` begins."""
    parameters = {"store_id": store_id, "before_first": first - 1, "limit": BATCHES_AT_ONCE + 1}
    return (await connection.execute(_BATCHES, parameters)).all()


async def _moved(connection: AsyncConnection, store_id: UUID, batches: Sequence[Batch], above: int) -> list[int]:
    """Return the numbers within the range of these batches that are late ones of a later batch, or of one of these."""
    parameters = {"store_id": store_id, "last": batches[-1].number, "up_to": batches[-1].up_to}
    later = (await connection.execute(_LATER, parameters)).scalars()
    late = [*(batch.late for batch in batches), *later]
    return sorted({number for each in late for number in each if above < number <= batches[-1].up_to})


_BATCHES = text("""
    select batch, up_to, late from event_batch
    where store_id = :store_id and batch >= :before_first
    order by batch
    limit :limit
""")

# From the first batch on whose `settled` is higher, no batch has a late number of that range.
_LATER = text("""
    select late from event_batch
    where store_id = :store_id and batch > :last and batch < coalesce(
        (
            select batch from event_batch
            where store_id = :store_id and batch > :last and settled >= :up_to
            order by batch
            limit 1
        ),
        9223372036854775807
    )
""")

# An event that was committed since the feed was advanced is not in it yet: it may have a number above the settled one
# that `unsettled` does not name.
_IN_RANGE = text("""
    select ranged.number
    from event_feed feed
    cross join lateral (
        (
            select number from event
            where store_id = feed.store_id and number > :above and number <= :up_to
                and (number <= feed.settled or number = any (feed.unsettled))
                and number <> all (cast(:moved as bigint[])) and repetition_key is null
            order by number limit :size
        )
        union all
        (
            select creation_number from profile
            where store_id = feed.store_id and creation_number > :above and creation_number <= :up_to
                and (creation_number <= feed.settled or creation_number = any (feed.unsettled))
                and creation_number <> all (cast(:moved as bigint[]))
            order by creation_number limit :size
        )
        order by number limit :size
    ) ranged
    where feed.store_id = :store_id
    order by ranged.number
""")
