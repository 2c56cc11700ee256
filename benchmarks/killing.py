"""An import during which the whole service is killed again and again, and what is then in the database.

It must be what an undisturbed import leaves, row for row. IDs and times are others in every run: people are compared by
the order in which they were made, times by their order within a person.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks import csv_files, importing
from benchmarks.contenders import PRODUCT, Server, serving
from benchmarks.csv_files import People
from benchmarks.datasets import Dataset, empty_dataset
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load
from benchmarks.processes import kill
from benchmarks.progress import say
from profile_lookup.database.embedded import EmbeddedPostgres

_BAD = 1000  # of so many rows, one is refused
_LOOK = 0.01  # seconds

State = dict[str, Counter[Any]]
"""Of each table its rows, as they compare."""


def compare_with_killed(server: EmbeddedPostgres, load: Load, rows: int, kills: int, directory: Path) -> dict[str, Any]:
    """Raises `BenchmarkError` if there is any difference."""
    file = directory / "killed.csv"
    csv_files.write(file, People(rows, bad=_BAD))
    say(f"Importing {rows:,} rows undisturbed …")
    undisturbed = empty_dataset(server, "undisturbed")
    with serving(PRODUCT, undisturbed, 1, load) as service:
        imported = importing.import_file(service, file)
        expected = _told(service, imported.import_id)
    killed = empty_dataset(server, "killed")
    moments = _moments(rows, kills)
    told = _import_killed(killed, load, file, moments)
    differences = list(_differences(_state(undisturbed.database_url) | expected, _state(killed.database_url) | told))
    if differences:
        raise BenchmarkError(f"after {kills} kills the final state is another one: {'; '.join(differences)}")
    return {"rows": rows, "kills": kills, "moments": moments, "seconds_undisturbed": imported.applying}


def _moments(rows: int, kills: int) -> list[int]:
    """After how many rows; the first while the file is gone through."""
    return sorted([0, *random.sample(range(1, rows * 9 // 10), kills - 1)])


def _import_killed(dataset: Dataset, load: Load, file: Path, moments: list[int]) -> State:
    began: dict[str, Any] = {}
    for number, moment in enumerate(moments):
        with serving(PRODUCT, dataset, 1, load) as service:
            if not began:
                began = importing.begin(service, file)
                importing.upload(service, began["url"], file)
            done = asyncio.run(_until(dataset.database_url, moment))
            time.sleep(random.random())  # noqa: S311 -- in the middle of something
            kill(service.process_id)
        say(f"Killed {number + 1} of {len(moments)} times, after {done:,} rows and a moment")
    with serving(PRODUCT, dataset, 1, load) as service:
        importing.ended(service, began["importId"])
        return _told(service, began["importId"])


async def _until(url: str, rows: int) -> int:
    """So many rows are done. Raises `BenchmarkError` if the import ends before."""
    connection = await asyncpg.connect(url)
    try:
        while True:
            if await connection.fetchval("select status from operation") == "COMPLETED":
                raise BenchmarkError("the import ended before it was killed: let it have more rows with --kill-rows")
            done: int = await connection.fetchval("select created + updated + merged + refused from profile_import")
            if done >= rows:
                return done
            await asyncio.sleep(_LOOK)
    finally:
        await connection.close()


def _told(service: Server, import_id: str) -> State:
    """What a client is told of the import."""
    answer = importing.fetch(service, import_id)
    lines = importing.refused_rows(service, import_id).splitlines()
    return {"answer": Counter([json.dumps([answer["progress"], answer["summary"]])]), "refused rows": Counter(lines)}


def _state(url: str) -> State:
    return asyncio.run(_fetch_state(url))


async def _fetch_state(url: str) -> State:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_NUMBER)
        state = {table: Counter(map(tuple, await connection.fetch(question))) for table, question in _ROWS.items()}
        numbers = {str(row["id"]): row["n"] for row in await connection.fetch("select id, n from person")}
        merges = await connection.fetch("select canonical_id, absorbed_ids, rule, moved from merge order by id")
        state["merge"] = Counter((at, *_merge(row, numbers)) for at, row in enumerate(merges))
    finally:
        await connection.close()
    return state


_NUMBER = """
    create temporary table person as
    select id, row_number() over (order by id) as n
    from (select id from profile union all select id from alias) as everybody
"""
"""Everybody who ever was, in the order in which they were made."""

_ROWS = {
    "profile": """
        select person.n, dense_rank() over (order by created_at) from profile join person using (id)
    """,
    "identifier": """
        select person.n, id_type, value, is_unique, fuzzy_key,
            rank() over (partition by profile_id order by added_at) as since
        from identifier join person on person.id = identifier.profile_id
    """,
    "trait": """
        select person.n, group_name, name, value, rank() over (partition by profile_id order by written_at) as since
        from trait join person on person.id = trait.profile_id
    """,
    "alias": """
        select person.n, canonical.n as canonical
        from alias join person using (id) join person canonical on canonical.id = alias.profile_id
    """,
    "operation": "select status, error_code from operation",
    "what is left of the file": "select count(*) from import_piece",
}


def _merge(row: asyncpg.Record, numbers: Mapping[str, int]) -> Iterator[Any]:
    yield numbers[str(row["canonical_id"])]
    yield tuple(numbers[str(each)] for each in row["absorbed_ids"])
    yield row["rule"]
    for profile in json.loads(row["moved"]):
        yield numbers[profile["id"]]
        for what in ("identifiers", "traits"):
            yield tuple(json.dumps(each) for *each, _ in sorted(profile[what], key=lambda each: each[-1]))


def _differences(expected: State, found: State) -> Iterator[str]:
    for table, rows in expected.items():
        missing, more = rows - found[table], found[table] - rows
        if missing or more:
            yield f"{table}: {missing.total()} rows are missing, {more.total()} are there that should not"
