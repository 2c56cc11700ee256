"""Kills the whole service repeatedly during an import, and checks the database afterwards.

The database must equal that of an undisturbed import, row for row (`final_state.py`).
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

_BAD = 1000  # one of so many rows is refused
_POLL_INTERVAL = 0.01  # seconds


def compare_with_killed(server: EmbeddedPostgres, load: Load, rows: int, kills: int, directory: Path) -> dict[str, Any]:
    """Compare a killed import with an undisturbed one. Raises `BenchmarkError` if there is any difference."""
    file = directory / "killed.csv"
    csv_files.write(file, People(rows, bad=_BAD))
    say(f"Importing {rows:,} rows undisturbed …")
    undisturbed = empty_dataset(server, "undisturbed")
    with serving(PRODUCT, undisturbed, 1, load) as service:
        imported = importing.import_file(service, file)
        expected = _visible_result(service, imported.import_id)
    killed = empty_dataset(server, "killed")
    moments = _moments(rows, kills)
    visible = _import_killed(killed, load, file, moments)
    found = list(differences(_state(undisturbed.database_url) | expected, _state(killed.database_url) | visible))
    if found:
        raise BenchmarkError(f"after {kills} kills the final state is another one: {'; '.join(found)}")
    return {"rows": rows, "kills": kills, "moments": moments, "seconds_undisturbed": imported.applying}


def _moments(rows: int, kills: int) -> list[int]:
    """Return after how many rows to kill. The first kill comes while the file is being checked."""
    return sorted([0, *random.sample(range(1, rows * 9 // 10), kills - 1)])


def _import_killed(dataset: Dataset, load: Load, file: Path, moments: list[int]) -> State:
    created: dict[str, Any] = {}
    for number, moment in enumerate(moments):
        with serving(PRODUCT, dataset, 1, load) as service:
            if not created:
                created = importing.begin(service, file)
                importing.upload(service, created["url"], file)
            done = asyncio.run(_wait_for_rows(dataset.database_url, moment))
            time.sleep(random.random())  # noqa: S311 -- kills at a random moment of a step
            kill(service.process_id)
        say(f"Killed {number + 1} of {len(moments)} times, after {done:,} rows and a moment")
    with serving(PRODUCT, dataset, 1, load) as service:
        importing.ended(service, created["importId"])
        return _visible_result(service, created["importId"])


async def _wait_for_rows(url: str, rows: int) -> int:
    """Wait until so many rows are done, and return their number. Raises `BenchmarkError` if the import ends before."""
    connection = await asyncpg.connect(url)
    try:
        while True:
            if await connection.fetchval("select status from operation") == "COMPLETED":
                raise BenchmarkError("the import ended before it was killed: let it have more rows with --kill-rows")
            done: int = await connection.fetchval("select created + updated + merged + refused from profile_import")
            if done >= rows:
                return done
            await asyncio.sleep(_POLL_INTERVAL)
    finally:
        await connection.close()


def _visible_result(service: Server, import_id: str) -> State:
    """Return what a client can read about the import."""
    answer = importing.fetch(service, import_id)
    lines = importing.refused_rows(service, import_id).splitlines()
    return {"answer": Counter([json.dumps([answer["progress"], answer["summary"]])]), "refused rows": Counter(lines)}


def _state(url: str) -> State:
    async def read() -> State:
        connection = await asyncpg.connect(url)
        try:
            return await final_state(connection, STORE_ID)
        finally:
            await connection.close()

    return asyncio.run(read())
