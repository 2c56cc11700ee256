"""Limits how many requests of strangers are under way at the same time. Their addresses take turns.

A stranger's request waits as a parsed head: no task is started for it, and its body is not read. It has its turn until
its caller is admitted, or until it is answered.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any


class Turn:
    """The turn of one request, which it waits for, has, or has given up."""

    __slots__ = ("_leave", "_start", "address")

    def __init__(self, address: str, start: Callable[["Turn"], None]) -> None:
        self.address = address
        self._start: Callable[[Turn], None] | None = start
        self._leave: Callable[[], None] | None = None

    @property
    def is_awaited(self) -> bool:
        return self._start is not None

    def begin(self, leave: Callable[[], None]) -> None:
        """Start the request. `leave` is called once, when it gives up its turn."""
        start, self._start, self._leave = self._start, None, leave
        assert start is not None
        start(self)

    def give_up(self) -> None:
        """Let the next request have the turn. It may have been given up before."""
        leave, self._start, self._leave = self._leave, None, None
        if leave is not None:
            leave()


class AdmissionTurns:
    """The turns of one process."""

    def __init__(self, under_way: int) -> None:
        self._free = under_way
        self._waiting: OrderedDict[str, deque[Turn]] = OrderedDict()

    @property
    def is_free(self) -> bool:
        """Whether a request that entered now would begin at once."""
        return self._free > 0

    def enter(self, address: str, start: Callable[[Turn], None]) -> Turn:
        """Call `start`, now or when the turn comes. Return the turn."""
        turn = Turn(address, start)
        if self._free:
            self._begin(turn)
        else:
            self._waiting.setdefault(address, deque()).append(turn)
        return turn

    def _begin(self, turn: Turn) -> None:
        self._free -= 1
        turn.begin(self._end)

    def _end(self) -> None:
        self._free += 1
        turn = self._next()
        if turn is not None:
            self._begin(turn)

    def _next(self) -> Turn | None:
        """Return the first turn, which has not been given up, of the address that has waited longest."""
        while self._waiting:
            address, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[address] = turns
            if turn.is_awaited:
                return turn
        return None


def in_turn(turn: Turn, app: Any) -> Any:
    """Return an application that serves a request and gives up its turn at the end, unless it was given up before."""

    async def serve(*request: Any) -> None:
        try:
            await app(*request)
        finally:
            turn.give_up()

    return serve
