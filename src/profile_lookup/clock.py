"""The clock of this process. It shows the real time, unless a server for tests has moved it."""

from datetime import UTC, datetime, timedelta

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)
"""Between these a clock may be moved. At the ends of Python's calendar it would fail, and so would every request."""


class Clock:
    """`moved_by` is added to the real time. The clock runs on, wherever it was moved to."""

    def __init__(self) -> None:
        self.moved_by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.moved_by  # noqa: TID251 -- this is the one place


CLOCK = Clock()
"""The one clock of this process. In SQL, `testing/clock.py` moves the clock of a server for tests by as much."""
