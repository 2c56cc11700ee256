"""The order of a feed, in a simulation of transactions that draw numbers, commit late, or never do."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from profile_lookup.history.feed_order import Batch, FeedState, Mark, Position, Sight, advance, positions


@dataclass
class Transaction:
    id: int
    numbers: list[int] = field(default_factory=list)
    before: frozenset[int] = frozenset()
    """The numbers that were visible when it drew its first one, so its events may depend on them."""


class Simulation:
    """PostgreSQL, as far as the feed reads it, and a reader who goes from page to page."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._next_transaction = 10
        self._last_ended = 9
        self._drawn = 0
        self._open: list[Transaction] = []
        self.before: dict[int, frozenset[int]] = {}
        self.visible: set[int] = set()
        self._looks: list[int] = []
        self._state = FeedState(Position(1, 0), 0, (), Mark(0, 0))
        self._batches = [Batch(1, 0, ())]
        self._after = Position(1, 0)
        self.read: list[int] = []

    def begin(self) -> None:
        self._open.append(Transaction(self._take_id()))

    def draw(self, which: int) -> None:
        if self._open:
            transaction = self._open[which % len(self._open)]
            self._drawn += 1
            transaction.before |= self.visible
            transaction.numbers.append(self._drawn)
            self.before[self._drawn] = frozenset(self.visible)

    def commit(self, which: int) -> None:
        if self._open:
            self.visible |= set(self._end(which).numbers)

    def abort(self, which: int) -> None:
        if self._open:
            self._end(which)

    def look(self) -> None:
        """Begin to advance the feed: read the last number drawn, and then wait for the lock."""
        self._looks.append(self._drawn)

    def advance(self, which: int) -> None:
        """Get the lock, and advance the feed."""
        drawn = self._looks.pop(which % len(self._looks)) if self._looks else self._drawn
        mark = Mark(self._take_id(), drawn)
        advanced = advance(self._state, self._sight(mark))
        feed = self._page(Position(1, 0), self._drawn + 1)
        before, self._state = self._state, advanced.state
        assert self._state.end >= before.end
        if advanced.late:
            self._batches.append(Batch(self._state.end.batch, self._state.end.number, advanced.late))
            assert min(advanced.late) > before.settled
        else:
            last = self._batches[-1]
            self._batches[-1] = Batch(last.number, self._state.end.number, last.late)
        self._last_ended = max(self._last_ended, mark.transaction)
        assert self._page(Position(1, 0), self._drawn + 1)[: len(feed)] == feed

    def read_page(self, size: int) -> None:
        page = self._page(self._after, size)
        self.read += [position.number for position in page]
        if page:
            self._after = page[-1]

    def _page(self, after: Position, size: int) -> list[Position]:
        from_first = [batch for batch in self._batches if batch.number >= after.batch - 1]
        moved = {number for batch in self._batches for number in batch.late}
        above = max([after.number, *(each.up_to for each in from_first if each.number < after.batch)])
        in_feed = {number for number in self.visible if number <= self._state.settled}.union(self._state.unsettled)
        in_range = sorted(number for number in in_feed - moved if above < number <= from_first[-1].up_to)
        return positions(from_first, in_range[:size], after, size)

    def _sight(self, next_mark: Mark) -> Sight:
        numbers = sorted(number for number in self.visible if self._state.settled < number <= next_mark.number)
        open_ids = [each.id for each in self._open]
        unended = self._last_ended + 1
        shown = numbers[: self._limit]
        return Sight(shown, len(shown) < self._limit, min([unended, *open_ids]), unended, next_mark)

    def _take_id(self) -> int:
        self._next_transaction += 1
        return self._next_transaction

    def _end(self, which: int) -> Transaction:
        transaction = self._open.pop(which % len(self._open))
        self._last_ended = max(self._last_ended, transaction.id)
        return transaction


Step = Callable[[Simulation], None]

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.just(Simulation.begin),
    st.builds(lambda which: lambda it: it.draw(which), st.integers(0, 9)),
    st.builds(lambda which: lambda it: it.draw(which), st.integers(0, 9)),
    st.builds(lambda which: lambda it: it.commit(which), st.integers(0, 9)),
    st.builds(lambda which: lambda it: it.abort(which), st.integers(0, 9)),
    st.just(Simulation.look),
    st.builds(lambda which: lambda it: it.advance(which), st.integers(0, 9)),
    st.builds(lambda size: lambda it: it.read_page(size), st.integers(1, 4)),
)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(STEPS, max_size=120), st.integers(2, 6))
def test_a_reader_gets_each_event_once_and_none_before_one_that_was_committed_before_its_number(
    steps: list[Step], limit: int
) -> None:
    simulation = Simulation(limit)
    for step in steps:
        step(simulation)
    _assert_all_is_read(simulation)


def test_who_looked_long_before_it_got_the_lock_settles_nothing_that_it_does_not_see() -> None:
    simulation = Simulation(limit=3)
    simulation.look()
    simulation.begin()
    simulation.begin()
    simulation.draw(0)
    simulation.draw(1)
    simulation.commit(1)
    simulation.look()
    simulation.advance(1)
    simulation.read_page(3)
    simulation.commit(0)
    simulation.advance(0)
    _assert_all_is_read(simulation)


def _assert_all_is_read(simulation: Simulation) -> None:
    for _ in range(400):  # from now on nothing happens but reading
        simulation.commit(0)
        simulation.advance(0)
        simulation.read_page(3)
    assert len(simulation.read) == len(set(simulation.read))
    assert set(simulation.read) == simulation.visible
    read_before: set[int] = set()
    for number in simulation.read:
        assert simulation.before[number] <= read_before
        read_before.add(number)


def _state(*unsettled: int, end: int, settled: int = 0, mark: Mark | None = None) -> FeedState:
    return FeedState(Position(1, end), settled, unsettled, Mark(0, 0) if mark is None else mark)


def test_nothing_changes_once_all_events_are_settled() -> None:
    state = _state(end=7, settled=7, mark=Mark(20, 7))
    assert advance(state, Sight([], True, 99, 99, Mark(99, 500))).state == state


def test_nothing_changes_while_a_transaction_from_before_the_mark_is_under_way() -> None:
    state = _state(5, 7, end=7, mark=Mark(20, 7))
    assert advance(state, Sight([5, 7], True, 19, 30, Mark(30, 9))).state == state


def test_a_mark_from_another_cluster_is_no_obstacle() -> None:
    state = _state(5, 7, end=7, mark=Mark(10**9, 7))
    assert advance(state, Sight([5, 7], True, 19, 30, Mark(30, 9))).state.settled == 7


def test_many_old_events_are_put_into_the_feed_without_a_list() -> None:
    first = advance(_state(end=0), Sight([1, 2, 3], False, 19, 30, Mark(30, 1_000_000)))
    second = advance(first.state, Sight([1, 2, 3], False, 31, 31, Mark(31, 1_000_000)))
    assert second.state == _state(end=1_000_000, settled=1_000_000, mark=Mark(30, 1_000_000))
