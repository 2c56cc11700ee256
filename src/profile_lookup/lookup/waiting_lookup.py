"""The lookups of requests, from their arrival to their answers."""

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Sequence

from profile_lookup.errors import Unavailable
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.lookup.coalesced_statement import Caller, Found

MAX_TOGETHER = 64

IsGone = Callable[[], bool]
"""Returns whether the client of a request has gone."""

Settle = Callable[[Found | Exception | None], None]
"""Takes the outcome of a lookup: None if the caller may not look up, and the error if there is one."""


class WaitingLookup:
    """A lookup that waits for its statement, or for the answer to it."""

    __slots__ = ("arrived_at", "caller", "identifier", "is_gone", "settle")

    def __init__(
        self, caller: Caller, identifier: NormalizedIdentifier, is_gone: IsGone, settle: Settle, arrived_at: float
    ) -> None:
        self.caller = caller
        self.identifier = identifier
        self.is_gone = is_gone
        self.settle = settle
        self.arrived_at = arrived_at


Batch = Sequence[WaitingLookup]

Rows = Sequence[Found | None]
"""What each lookup of a batch found: None if the caller may not look up."""


def settle_each(batch: Batch, outcome: Rows | Exception) -> None:
    """Give each lookup its row, or all of them the error."""
    outcomes = [outcome] * len(batch) if isinstance(outcome, Exception) else outcome
    for waiting, each in zip(batch, outcomes, strict=True):
        waiting.settle(each)


class WaitingLookups:
    """The lookups that wait for their statements, by store."""

    def __init__(self) -> None:
        self.count = 0
        self._of_stores: OrderedDict[int, deque[WaitingLookup]] = OrderedDict()
        """By the number of the store's ID. The store whose turn is next is the first."""

    def add(self, waiting: WaitingLookup) -> None:
        store = waiting.caller[1].int
        of_store = self._of_stores.get(store)
        if of_store is None:
            of_store = self._of_stores[store] = deque()
        of_store.append(waiting)
        self.count += 1

    def next_batch(self) -> list[WaitingLookup]:
        """Take lookups of each store in turn, so that a busy store does not delay the others."""
        batch: list[WaitingLookup] = []
        while self._of_stores and len(batch) < MAX_TOGETHER:
            share = -(-(MAX_TOGETHER - len(batch)) // len(self._of_stores))
            store, of_store = self._of_stores.popitem(last=False)
            for _ in range(min(share, len(of_store))):
                self._take(of_store, batch)
            if of_store:
                self._of_stores[store] = of_store
        return batch

    def next_batch_of_one_caller(self, busy: Collection[int]) -> list[WaitingLookup]:
        """Take lookups of one caller, and so of one store, which is not a busy one. Return none if all are busy."""
        batch: list[WaitingLookup] = []
        while not batch:  # all clients of a store may have gone
            store = next((each for each in self._of_stores if each not in busy), None)
            if store is None:
                break
            of_store = self._of_stores.pop(store)
            while of_store and len(batch) < MAX_TOGETHER and (not batch or of_store[0].caller == batch[0].caller):
                self._take(of_store, batch)
            if of_store:
                self._of_stores[store] = of_store
        return batch

    def has_others_than(self, busy: Collection[int]) -> bool:
        """Return whether lookups of a store wait that is not a busy one."""
        return any(each not in busy for each in self._of_stores)

    def refuse_before(self, deadline: float) -> None:
        """Refuse the lookups that arrived at this time or earlier."""
        for of_store in self._of_stores.values():
            while of_store and of_store[0].arrived_at <= deadline:
                self.count -= 1
                of_store.popleft().settle(Unavailable())

    def refuse_all(self) -> None:
        for of_store in self._of_stores.values():
            for waiting in of_store:
                waiting.settle(Unavailable())
        self._of_stores.clear()
        self.count = 0

    def _take(self, of_store: deque[WaitingLookup], batch: list[WaitingLookup]) -> None:
        """Move the first lookup of a store to the batch, unless its client has gone."""
        waiting = of_store.popleft()
        self.count -= 1
        if waiting.is_gone():
            waiting.settle(Unavailable("the client has gone"))
        else:
            batch.append(waiting)
