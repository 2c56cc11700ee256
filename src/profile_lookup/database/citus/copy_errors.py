"""Errors of COPY. Citus passes on the message and the detail of a node's error, but not its code."""

import re
from collections.abc import Iterable, Sequence

import asyncpg

_CONSTRAINT = re.compile(r"\b(\w+_(?:pkey|idx))_\d+\b")
_KEY = re.compile(r"\((.*?)\)=\((.*)\)", re.DOTALL)


def unique_violation(error: asyncpg.InternalServerError) -> asyncpg.UniqueViolationError | None:
    """Return the error as plain PostgreSQL raises it, or None if it is another one.

    It names the constraint of the table, without the number of the shard, and has the same detail.
    """
    found = _CONSTRAINT.search(error.message or "")
    if found is None:
        return None
    violation = asyncpg.UniqueViolationError("a row is not unique")
    violation.constraint_name, violation.detail = found[1], error.detail
    return violation


def last_with_key(detail: str | None, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int | None:
    """Return the place of the last row with the key that the detail of a violation shows.

    The detail is such as "Key (store_id, number)=(…, 7) already exists", in the language of the server.
    """
    found = _KEY.search(detail or "")
    if found is None:
        return None
    places = [columns.index(name) for name in found[1].split(", ")]
    with_key = [place for place, row in enumerate(rows) if _shown(row[each] for each in places) == found[2]]
    return with_key[-1] if with_key else None


def _shown(values: Iterable[object]) -> str:
    return ", ".join(f"\\x{each.hex()}" if isinstance(each, bytes) else str(each) for each in values)
