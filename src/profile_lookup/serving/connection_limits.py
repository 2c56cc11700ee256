"""Limits the connections of one process, and refuses nobody who has right credentials.

A connection is a stranger's until somebody was admitted on it. If there are too many connections in all, a stranger's
is ended for each new one. If an address has too many strangers' connections, further ones are accepted, because any of
them may belong to a caller with right credentials; but they have less time to send a request.
See docs/decisions/0033-strangers-cost-nothing.md.
"""

import logging
import resource
import time
from collections import Counter, OrderedDict
from itertools import islice
from typing import Protocol

STRANGERS_SHARE = 10  # one in so many connections is left to strangers, and so to health checks
OTHER_FILES = 256  # open files of a process besides the connections of clients
_EXAMINED = 100  # connections, among which one without a request is preferred
_LOG_INTERVAL = 1.0  # seconds

log = logging.getLogger(__name__)


class Connection(Protocol):
    @property
    def has_request(self) -> bool:
        """Whether a request is under way."""
        ...

    def abort(self) -> None:
        """End the connection at once."""


class ConnectionLimits:
    def __init__(self, *, in_all: int, strangers_per_address: int) -> None:
        self._in_all = in_all
        self._max_admitted = in_all - max(1, in_all // STRANGERS_SHARE)
        self._strangers_per_address = strangers_per_address
        self._strangers: OrderedDict[Connection, str | None] = OrderedDict()  # by age; without address: not counted
        self._admitted: set[Connection] = set()
        self._strangers_of: Counter[str] = Counter()
        self._ended = 0
        self._logged_at = 0.0

    def open(self, connection: Connection, address: str | None) -> bool:
        """Count a new connection. Return whether its address has more strangers' connections than it may have.

        `address` is None for a trusted proxy, whose connections are not limited by address.
        """
        if len(self._strangers) + len(self._admitted) >= self._in_all and self._strangers:
            self._end_one()
        self._strangers[connection] = address
        if address is None:
            return False
        self._strangers_of[address] += 1
        return self._strangers_of[address] > self._strangers_per_address

    def admit(self, connection: Connection) -> None:
        """Note that somebody was admitted on this connection, so that it is not ended to make room for others.

        Beyond the limit for admitted ones, it may still be ended, but does not count for its address any more.
        """
        if connection in self._strangers:
            self._uncount(self._strangers[connection])
            self._strangers[connection] = None
            if len(self._admitted) < self._max_admitted:
                del self._strangers[connection]
                self._admitted.add(connection)

    def close(self, connection: Connection) -> None:
        """Stop counting a connection, unless that was done before."""
        if connection in self._strangers:
            self._uncount(self._strangers.pop(connection))
        else:
            self._admitted.discard(connection)

    def _uncount(self, address: str | None) -> None:
        if address is not None:
            self._strangers_of[address] -= 1
            if not self._strangers_of[address]:
                del self._strangers_of[address]

    def _end_one(self) -> None:
        """End the oldest connection of a stranger, if possible one without a request."""
        oldest = next(iter(self._strangers))
        without_request = (each for each in islice(self._strangers, _EXAMINED) if not each.has_request)
        ended = next(without_request, oldest)
        self.close(ended)
        ended.abort()
        self._log_ended()

    def _log_ended(self) -> None:
        self._ended += 1
        now = time.monotonic()
        if now - self._logged_at >= _LOG_INTERVAL:
            log.warning("connections ended because there were too many", extra={"count": self._ended})
            self._ended = 0
            self._logged_at = now


def open_file_limit(wanted_connections: int) -> int:
    """Raise this process's limit on open files as far as needed and allowed. Return how many connections fit."""
    wanted = wanted_connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted_connections
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(1, allowed - OTHER_FILES)
