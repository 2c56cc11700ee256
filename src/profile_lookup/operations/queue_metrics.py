"""Measures the queue of operations in the database, for the metrics of the worker."""

from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.metrics.catalogue import OLDEST_OPERATION, OPERATIONS_RUNNING, OPERATIONS_WAITING
from profile_lookup.operations.kinds import OperationKind


async def measure_queue(database: Database) -> None:
    """Set the gauges of all kinds. Raises `Unavailable`."""
    async with database.statements() as connection:
        rows = {row.kind: row for row in await connection.execute(_UNFINISHED)}
    for kind in OperationKind:
        row = rows.get(kind)
        OPERATIONS_WAITING.set(row.waiting if row else 0, kind)
        OPERATIONS_RUNNING.set(row.running if row else 0, kind)
        OLDEST_OPERATION.set(row.age if row else 0, kind)


# What waits for an upload, or for the time of another attempt, is not ready and delays nobody.
_UNFINISHED = text("""
    select
        kind,
        count(*) filter (where status = 'PENDING' and waits_until is null) as waiting,
        count(*) filter (where status = 'RUNNING') as running,
        cast(
            greatest(
                extract(
                    epoch from clock_timestamp()
                        - min(ready_at) filter (where status = 'PENDING' and waits_until is null)
                ),
                0
            ) as float
        ) as age
    from operation
    where completed_at is null
    group by kind
""")
