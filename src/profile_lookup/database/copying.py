"""Copies rows into a table, in PostgreSQL's binary format."""

from collections.abc import Iterable, Sequence

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.citus.copy_errors import unique_violation
from profile_lookup.database.connections import translating_errors
from profile_lookup.database.driver import driver_of


async def copy_rows(
    connection: AsyncConnection, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Copy the rows, in the transaction that the connection has begun.

    Raises `Unavailable`, and the driver's errors of constraints.
    """
    driver = await driver_of(connection)
    with translating_errors():
        try:
            await driver.copy_records_to_table(table, columns=columns, records=rows)
        except asyncpg.InternalServerError as error:
            raise unique_violation(error) or error from None
        except TimeoutError:
            driver.terminate()  # the server is silent, and a rollback would wait for it as long again
            raise
