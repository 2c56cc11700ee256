"""Lookups that arrive together are answered together.

A connection of their own, with prepared statements. A lookup that finds it idle goes at once. While it is busy, others
queue up, and then up to 64 of them go in one statement: the busier the service is, the less each lookup costs. What
takes long holds nobody up: there is a second connection. See docs/decisions/0013-lookups-together.md.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.held import HeldConnection
from profile_lookup.errors import Unavailable
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.profiles.queries import LOOKUP, LOOKUPS, LOOKUPS_OF_ONE_CALLER

CONNECTIONS = 2
SLOW = 0.005  # seconds that lookups wait while a connection is idle
MAX_TOGETHER = 64
MAX_WAITING = 2048
"""Some tenths of a second of work; when so many wait, the database has stopped answering, and more are told at once."""
DEADLINE = 5.0  # seconds, from the question to the answer


Caller = tuple[Credentials, UUID]
"""Who asks, in which store."""

Question = tuple[Caller, NormalizedIdentifier]


class Found(NamedTuple):
    """`revision`: of the store's rules that were in force."""

    revision: int
    profile_ids: Sequence[UUID]


class _Asked(NamedTuple):
    question: Question
    is_gone: Callable[[], bool] | None
    asked_at: float
    answer: "asyncio.Future[Found | None]"

    def is_wanted(self) -> bool:
        if self.answer.done():  # whoever waited was cancelled, or told that it takes too long
            return False
        if self.is_gone is not None and self.is_gone():
            self.answer.set_exception(Unavailable("nobody waits for the answer any more"))
            return False
        return True


class Lookups:
    """Asks PostgreSQL on behalf of all requests of a process."""

    def __init__(self, database_url: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle = [HeldConnection(database_url) for _ in range(CONNECTIONS)]
        self._waiting: OrderedDict[UUID, deque[_Asked]] = OrderedDict()
        self._count = 0
        self._is_gathering = False
        self._has_company = False
        self._busy: set[asyncio.Task[None]] = set()
        self._watch: asyncio.TimerHandle | None = None

    async def find(
        self,
        credentials: Credentials,
        store_id: UUID,
        identifier: NormalizedIdentifier,
        is_gone: Callable[[], bool] | None = None,
    ) -> Found | None:
        """Who has this identifier, earliest first, and under which rules; None if the caller may not ask.

        `is_gone` tells whether the caller still waits: if not, when the turn comes, the question is not asked.
        Raises `Unavailable`: there is no connection, too many wait, or the deadline has passed.
        """
        caller = credentials, store_id
        if len(self._idle) < CONNECTIONS or self._is_gathering:
            return await self._queue((caller, identifier), is_gone)
        connection = self._idle.pop()
        try:
            if not self._has_company or await self._is_alone():
                return await _ask_one(connection, caller, identifier, DEADLINE)
            answer = self._queue((caller, identifier), is_gone)
        finally:
            self._has_company = bool(self._waiting)
            self._free(connection)
        return await answer

    async def _is_alone(self) -> bool:
        """Whether no other lookup arrives in the same turn of the loop: those do not go one by one."""
        self._is_gathering = True
        try:
            await asyncio.sleep(0)
        finally:
            self._is_gathering = False
        return not self._waiting

    def _queue(self, question: Question, is_gone: Callable[[], bool] | None) -> "asyncio.Future[Found | None]":
        if self._count >= MAX_WAITING:
            raise Unavailable("too many lookups are waiting")
        asked = _Asked(question, is_gone, self._loop.time(), self._loop.create_future())
        (_, store_id), _ = question
        self._waiting.setdefault(store_id, deque()).append(asked)
        self._count += 1
        if self._watch is None:
            self._watch = self._loop.call_later(SLOW, self._look_after_those_who_wait)
        return asked.answer

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
        for connection in self._idle:
            await connection.close()

    def _free(self, connection: HeldConnection) -> None:
        self._idle.append(connection)
        if len(self._idle) == CONNECTIONS:
            self._ask_for_the_next()

    def _ask_for_the_next(self) -> None:
        if batch := self._take():
            task = self._loop.create_task(self._answer(self._idle.pop(), batch))
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)

    async def _answer(self, connection: HeldConnection, batch: list[_Asked]) -> None:
        try:
            time_left = min(asked.asked_at for asked in batch) + DEADLINE - self._loop.time()
            found = await _ask(connection, [asked.question for asked in batch], time_left)
        except BaseException as error:  # whatever it is, those who wait must hear of it
            for asked in batch:
                if not asked.answer.done():
                    asked.answer.set_exception(error if isinstance(error, Exception) else Unavailable())
            if not isinstance(error, Exception):
                raise
        else:
            for asked, answer in zip(batch, found, strict=True):
                if not asked.answer.done():  # somebody waits for it still
                    asked.answer.set_result(answer)
        finally:
            self._free(connection)

    def _take(self) -> list[_Asked]:
        """The next ones: of the stores in turn, so that a busy one does not hold up the others."""
        batch: list[_Asked] = []
        while self._waiting and len(batch) < MAX_TOGETHER:
            share = -(-(MAX_TOGETHER - len(batch)) // len(self._waiting))
            store_id, of_store = self._waiting.popitem(last=False)
            for _ in range(min(share, len(of_store))):
                asked = of_store.popleft()
                self._count -= 1
                if asked.is_wanted():
                    batch.append(asked)
            if of_store:
                self._waiting[store_id] = of_store
        return batch

    def _look_after_those_who_wait(self) -> None:
        """Not beyond the deadline, and not for a slow question while a connection is idle."""
        self._watch = None
        now = self._loop.time()
        for of_store in self._waiting.values():
            while of_store and of_store[0].asked_at <= now - DEADLINE:
                self._count -= 1
                late = of_store.popleft()
                if not late.answer.done():
                    late.answer.set_exception(Unavailable())
        if self._idle and any(of_store and of_store[0].asked_at <= now - SLOW for of_store in self._waiting.values()):
            self._ask_for_the_next()
        if self._count:
            self._watch = self._loop.call_later(SLOW, self._look_after_those_who_wait)


async def _ask_one(
    connection: HeldConnection, caller: Caller, identifier: NormalizedIdentifier, time_left: float
) -> Found | None:
    credentials, store_id = caller
    rows = await connection.fetch(LOOKUP, (*credentials, store_id, *identifier), time_left)
    return Found(*rows[0]) if rows else None


async def _ask(connection: HeldConnection, questions: Sequence[Question], time_left: float) -> list[Found | None]:
    """By the statement that costs the least: mostly there is one caller, of whom one store is asked."""
    if len(questions) == 1:
        return [await _ask_one(connection, *questions[0], time_left)]
    callers: dict[Caller, int] = {}
    numbers = [callers.setdefault(caller, len(callers) + 1) for caller, _ in questions]
    id_types = [identifier.id_type for _, identifier in questions]
    values = [identifier.value for _, identifier in questions]
    if len(callers) > 1:
        sids = [credentials.sid for credentials, _ in callers]
        digests = [credentials.secret_sha256 for credentials, _ in callers]
        store_ids = [store_id for _, store_id in callers]
        rows = await connection.fetch(LOOKUPS, (sids, digests, store_ids, numbers, id_types, values), time_left)
        return [None if revision is None else Found(revision, profile_ids) for revision, profile_ids in rows]
    ((credentials, store_id),) = callers
    rows = await connection.fetch(LOOKUPS_OF_ONE_CALLER, (*credentials, store_id, id_types, values), time_left)
    return [Found(*row) for row in rows] or [None] * len(questions)
