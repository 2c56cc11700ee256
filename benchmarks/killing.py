"""An import during which the whole service is killed again and again, and what is then in the database.

It must be what an undisturbed import leaves, row for row (`final_state.py`).
"""

import asyncio
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks import csv_files, importing
from benchmarks.contenders import PRODUCT, Server, serving
from benchmarks.csv_files import People
from benchmarks.datasets import STORE_ID, Dataset, empty_dataset
from benchmarks.errors import BenchmarkError
from benchmarks.final_state import State, differences, final_state
from benchmarks.load import Load
from benchmarks.processes import kill
from benchmarks.progress import say
from profile_lookup.database.embedded.server import EmbeddedPostgres

_BAD = 1000  # of so many rows, one is refused
_LOOK = 0.01  # seconds


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
    found = list(differences(_state(undisturbed.database_url) | expected, _state(killed.database_url) | told))
    if found:
        raise BenchmarkError(f"after {kills} kills the final state is another one: {'; '.join(found)}")
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
    async def ask() -> State:
        connection = await asyncpg.connect(url)
        try:
            return await final_state(connection, STORE_ID)
        finally:
            await connection.close()

    return asyncio.run(ask())
