"""Decides the order of a store's feed, without a database. See docs/decisions/0046-the-order-of-a-feed.md.

Every event has a number, which its write drew while it held all its locks. Transactions commit in another order than
they drew, so the feed is a sequence of batches: within a batch, events are in the order of their numbers. A batch has
the numbers above those of the batch before, and the *late* ones: lower numbers that became visible only since then.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Mark(NamedTuple):
    """Once all transactions before `transaction` have ended, no number up to `number` can appear any more."""

    transaction: int
    number: int


class Position(NamedTuple):
    """The place of an event in the feed. Tokens hold it, so it never changes."""

    batch: int
    number: int


@dataclass(frozen=True, slots=True)
class FeedState:
    """How far a store's feed is.

    - `end`: the last batch, and the number up to which it has events
    - `settled`: no transaction that is under way has drawn a number up to this one; it is never above that of `end`
    - `unsettled`: the numbers in the feed that are higher, in ascending order
    - `mark`: says when more numbers will be settled
    """

    end: Position
    settled: int
    unsettled: tuple[int, ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Sight:
    """What one statement saw of a store's events.

    - `numbers`: the lowest visible numbers above the settled one and up to that of `next_mark`, in ascending order
    - `is_whole`: there are no others in this range
    - `ended`: all transactions before this one had ended
    - `unended`: no transaction from this one on had ended
    - `next_mark`: its number was drawn before its transaction got its ID
    """

    numbers: Sequence[int]
    is_whole: bool
    ended: int
    unended: int
    next_mark: Mark


@dataclass(frozen=True, slots=True)
class Advance:
    """The state after all numbers in sight were put into the feed. With `late` numbers there is a new batch."""

    state: FeedState
    late: tuple[int, ...]


def advance(state: FeedState, sight: Sight) -> Advance:
    """Return the feed with all numbers in sight. The state is the same if there is nothing new.

    All visible numbers up to the settled one count as numbers in the feed, without a list. So the number of a mark is
    settled only as far as `sight` has all numbers that are not in the feed yet.
    """
    batch, up_to = state.end
    seen_to = sight.next_mark.number if sight.is_whole else sight.numbers[-1]
    settled = state.settled
    is_reached = _is_reached(state.mark, sight)
    if is_reached:
        settled = max(settled, state.mark.number if seen_to >= up_to else min(state.mark.number, seen_to))
    known = set(state.unsettled)
    late = tuple(number for number in sight.numbers if number <= up_to and number not in known)
    known.update(sight.numbers)
    end = Position(batch + bool(late), max(up_to, settled, *sight.numbers[-1:]))
    mark = sight.next_mark if is_reached and end.number > settled else state.mark
    return Advance(FeedState(end, settled, tuple(sorted(each for each in known if each > settled)), mark), late)


def _is_reached(mark: Mark, sight: Sight) -> bool:
    """Return whether no transaction from before the mark is under way.

    The mark is visible, so the transaction that set it has ended. If this cluster of PostgreSQL has not ended such a
    transaction yet, the ID is from another cluster, and the database was restored here.
    """
    return mark.transaction <= sight.ended or mark.transaction >= sight.unended


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: the numbers above those of the batch before and not above `up_to`, and the late ones."""

    number: int
    up_to: int
    late: Sequence[int]


def positions(batches: Sequence[Batch], in_range: Sequence[int], after: Position, size: int) -> list[Position]:
    """Return the positions of at most `size` events after this one, in the order of the feed.

    `batches` begin with the one before that of `after`, if there is one. `in_range` are the lowest numbers of these
    batches that are not late ones, in ascending order; if there are more, it has at least `size`.
    """
    ends = [batch.up_to for batch in batches]
    found = [Position(batches[bisect_left(ends, number)].number, number) for number in in_range]
    last = found[-1] if len(found) >= size else None
    found += [Position(batch.number, number) for batch in batches for number in batch.late]
    following = sorted(each for each in found if each > after and (last is None or each <= last))
    return following[:size]
