"""Keyset pagination in SQL: a page begins after a row, or ends before one.

A page is named by the key of a row and not by a number, so rows that come and go elsewhere move nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

Order = Literal["ASC", "DESC"]

DEFAULT_PAGE_SIZE = 50  # rows
MAX_TOKEN = 4096  # characters of a token that names a page


@dataclass(frozen=True, slots=True)
class Key:
    """The columns that a list is ordered by. Together they are unique, and have a total order."""

    columns: tuple[ColumnElement[Any], ...]

    def of(self, row: Row[Any]) -> list[str]:
        return [_written(row._mapping[column]) for column in self.columns]  # noqa: SLF001 -- the public way to it

    def read(self, values: Sequence[str]) -> list[Any]:
        return [_read(value, column) for value, column in zip(values, self.columns, strict=True)]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page is: after a row, before it, or beginning with it. Without `values` it is the first page."""

    values: list[str] | None = None
    is_backwards: bool = False
    is_inclusive: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a page, in the list's order, and the positions of its neighbours; None where there is none."""

    rows: Sequence[Row[Any]]
    following: Position | None
    preceding: Position | None


async def fetch_rows(
    connection: AsyncConnection, query: Select[Any], key: Key, position: Position, order: Order, size: int
) -> Rows:
    """Return at most `size` rows of what `query` selects, in the order of `key`."""
    found = (await connection.execute(_at(query, key, position, order).limit(size + 1))).all()
    rows, has_more = found[:size], len(found) > size
    if position.is_backwards:
        rows = rows[::-1]
    is_first = position.values is None
    has_following = not is_first if position.is_backwards else has_more
    has_preceding = has_more if position.is_backwards else not is_first

    def neighbour(*, is_backwards: bool) -> Position:
        if rows:
            return Position(key.of(rows[0 if is_backwards else -1]), is_backwards)
        # This page's rows are gone: its neighbour begins with the very row that this page was after.
        return Position(position.values, is_backwards, is_inclusive=True)

    return Rows(
        rows,
        neighbour(is_backwards=False) if has_following else None,
        neighbour(is_backwards=True) if has_preceding else None,
    )


def _at(query: Select[Any], key: Key, position: Position, order: Order) -> Select[Any]:
    is_ascending = (order == "ASC") != position.is_backwards
    if position.values is not None:
        here = tuple_(*key.columns)
        there = tuple_(*key.read(position.values), types=[column.type for column in key.columns])
        if position.is_inclusive:
            query = query.where(here >= there if is_ascending else here <= there)
        else:
            query = query.where(here > there if is_ascending else here < there)
    return query.order_by(*[column.asc() if is_ascending else column.desc() for column in key.columns])


def _written(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _read(value: str, column: ColumnElement[Any]) -> object:
    kind = column.type.python_type
    return datetime.fromisoformat(value) if kind is datetime else kind(value)
