"""Statements as Citus must get them. Plain PostgreSQL gets them as they are written."""

import re
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

_IS_THE_STORE = re.compile(r"store_id is not distinct from", re.IGNORECASE)
_PARAMETER = re.compile(r"\$(\d+)")
_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class StoreStatement(NamedTuple):
    """A statement for the node of a store. `store` is the number of the parameter that is the store's ID."""

    sql: str
    store: int


IN_STORE: dict[str, StoreStatement] = {}
"""The statements that run as functions on Citus, by the names of these functions."""
_CALLS: dict[str, str] = {}
"""The call of each of these functions, by the SQL of its statement."""


def in_store(function: str, sql: str) -> TextClause:
    """Return the statement, which on Citus runs as a function on the node of its store (`functions.py`).

    A statement is made by this if Citus does not plan it as one, or if it reads what each node has for itself: locks,
    transactions, and numbers of events. `:store_id` is one of its parameters, and `function` the name of the function.
    """
    statement = text(sql)
    compiled = statement.compile(dialect=_DIALECT)
    assert compiled.positiontup is not None
    run_in_store(function, str(compiled), 1 + compiled.positiontup.index("store_id"))
    return statement


def run_in_store(function: str, sql: str, store: int) -> str:
    """Do what `in_store` does with a statement for the driver, in which the parameter of this number is the store."""
    IN_STORE[function] = StoreStatement(sql, store)
    parameters = sorted({int(number) for number in _PARAMETER.findall(sql)})
    arguments = ", ".join(f"${number}" for number in parameters)
    _CALLS[sql] = f"select * from {function}({arguments})"  # noqa: S608 -- made of numbers
    return sql


@lru_cache(maxsize=1024)
def for_citus(statement: str) -> str:
    """Return the statement as the service sends it to Citus."""
    return _CALLS.get(statement) or routable(statement)


def routable(statement: str) -> str:
    """Return the statement with an equality of stores, by which Citus finds the node.

    PostgreSQL does not use an index for `is not distinct from`, and so the statements compare stores like that where no
    index must be searched by the store alone.
    """
    return _IS_THE_STORE.sub("store_id =", statement)
