"""Errors of PostgreSQL, which nodes of Citus report in other words."""

import re

import asyncpg

_SHARD = re.compile(r"_\d+$")
_IN_MESSAGE = re.compile(r'unique constraint "(\w+)"')


def violated_constraint(error: asyncpg.PostgresError) -> str | None:
    """Return the name of the unique constraint that is violated, without the number of a shard, or None.

    If a COPY violates it on a node of Citus, this is an internal error, and only its message has the name.
    """
    if isinstance(error, asyncpg.UniqueViolationError):
        name = str(error.constraint_name)
    elif isinstance(error, asyncpg.InternalServerError) and (found := _IN_MESSAGE.search(str(error))):
        name = found[1]
    else:
        return None
    return _SHARD.sub("", name)
