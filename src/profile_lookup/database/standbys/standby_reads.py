"""Reads over connections of a pool, which a standby answers if it has everything that was answered before."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from profile_lookup.database.connections import TimeLimits
from profile_lookup.database.engines import create_engine
from profile_lookup.database.standbys.positions import Verdict
from profile_lookup.database.standbys.standbys import Standbys
from profile_lookup.errors import StandbyLost, Unavailable

_READS_FROM_PRIMARY = ContextVar("_READS_FROM_PRIMARY", default=False)


@contextmanager
def reads_from_primary() -> Iterator[None]:
    """Let all reads of the block go to the primary."""
    token = _READS_FROM_PRIMARY.set(True)
    try:
        yield
    finally:
        _READS_FROM_PRIMARY.reset(token)


class Reader(NamedTuple):
    """The ways to read from one server: several queries that see the same moment, or each statement alone."""

    snapshots: AsyncEngine
    statements: AsyncEngine

    @classmethod
    def of(cls, engine: AsyncEngine) -> "Reader":
        return cls(
            engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True),
            engine.execution_options(isolation_level="AUTOCOMMIT"),
        )


class StandbyReads:
    """One pool of connections to each standby. Errors of connecting and executing are translated in them."""

    def __init__(self, standbys: Standbys, primary: Reader, pool_size: int, limits: TimeLimits) -> None:
        self._standbys = standbys
        self._primary = primary
        self._engines = {each: create_engine(each.url, pool_size=pool_size, limits=limits) for each in standbys.all}
        self._readers = {standby: Reader.of(engine) for standby, engine in self._engines.items()}

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        """Yield a standby that has everything that was answered before, or else the primary.

        Raises `StandbyLost` instead of `Unavailable` if the block uses a standby.
        """
        standby = None if _READS_FROM_PRIMARY.get() else await self._standbys.caught_up()
        if standby is None:
            yield self._primary
            return
        try:
            yield self._readers[standby]
        except Unavailable as error:
            standby.suspend(Verdict.SILENT)
            raise StandbyLost from error
        standby.count_answer()

    async def close(self) -> None:
        for engine in self._engines.values():
            await engine.dispose()
