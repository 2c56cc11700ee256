"""The sequences of the numbers of events: each shard has its own, on the node where it is.

Readers of a feed overlook a number that is lower than what they have seen. If a shard moves, its sequence stays behind,
so whatever draws a number fails until `distribute` has made a sequence on the node where the shard is then.
"""

from collections.abc import Sequence

import asyncpg

from profile_lookup.database.citus.placement import DISTRIBUTED
from profile_lookup.errors import OperatorError


class NodeRefused(OperatorError):
    def __init__(self, error: str) -> None:
        super().__init__(f"A node of Citus refused to make the sequences of events: {error}")


def event_numbers_of(shard: int) -> str:
    """Return the name of the sequence from which the writes to this shard of `profile` draw."""
    return f"{DISTRIBUTED[0]}_{shard}_event_number"


async def create_sequences(driver: asyncpg.Connection) -> None:
    """Let each shard have a sequence on its node alone. A new one begins above all numbers that feeds know.

    Raises `NodeRefused`.
    """
    _results(await driver.fetch(_ON_ALL_NODES, _DROP_WITHOUT_SHARD))
    if "t" in await _on_shards(driver, DISTRIBUTED[0], _IS_MISSING):
        await _on_shards(driver, DISTRIBUTED[0], _CREATE.replace("HIGHEST", str(await _highest_number(driver))))


async def _highest_number(driver: asyncpg.Connection) -> int:
    of_shards = [await _on_shards(driver, table, _HIGHEST.format(number=number)) for table, number in _NUMBERS]
    return max([_FIRST, *(int(number) for numbers in of_shards for number in numbers if number)])


async def _on_shards(driver: asyncpg.Connection, table: str, command: str) -> Sequence[str]:
    return _results(await driver.fetch(_ON_SHARDS, table, command))


def _results(rows: Sequence[asyncpg.Record]) -> Sequence[str]:
    for row in rows:
        if not row["success"]:
            raise NodeRefused(row["result"])
    return [row["result"] for row in rows]


_FIRST = 1 << 53
"""Numbers that columns have by default are lower: Citus gives each node its own 2**48 numbers of `event_number`."""

_NUMBERS = (
    ("profile", "creation_number"),
    ("event", "number"),
    ("event_feed", "greatest(settled, mark_number)"),
    ("event_batch", "up_to"),
)
"""The columns that have numbers of events, by their tables."""

_ON_ALL_NODES = "select success, result from run_command_on_all_nodes($1)"
_ON_SHARDS = "select success, result from run_command_on_placements(cast(cast($1 as text) as regclass), $2)"

_HIGHEST = "select max({number}) from %s"
_IS_MISSING = "select to_regclass('%s_event_number') is null"

# The first number is drawn at once: as long as none is, a sequence does not show where it begins.
_CREATE = """
    do $create$
    begin
        create sequence if not exists %1$s_event_number start with HIGHEST;
        perform nextval('%1$s_event_number');
    end
    $create$
"""

_DROP_WITHOUT_SHARD = """
    do $drop$
    declare
        sequence text;
    begin
        for sequence in
            select sequencename from pg_sequences
            where sequencename ~ '^profile_[0-9]+_event_number$' and not exists (
                select from pg_dist_placement join pg_dist_local_group using (groupid)
                where shardid = cast(split_part(sequencename, '_', 2) as bigint)
            )
        loop
            execute format('drop sequence %I', sequence);
        end loop;
    end
    $drop$
"""
