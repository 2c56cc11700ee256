"""New IDs: UUIDv7, time-ordered. Those of one process never go backwards, even within a millisecond."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    return uuid7()
