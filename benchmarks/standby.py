"""A standby of the benchmark's PostgreSQL on the same machine, and the product that reads from it."""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from benchmarks.checkouts import product_here
from benchmarks.contenders import WITH_STANDBY, Server, serving_product
from benchmarks.datasets import POSTGRES_SETTINGS, Dataset, embedded_postgres
from benchmarks.load import Load
from profile_lookup.database.embedded.directories import package
from profile_lookup.database.embedded.roles import SERVICE, SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.database.embedded.server_account import account_of, give
from profile_lookup.settings import PREFIX

_ADMISSION = "local all all scram-sha-256\nlocal replication all scram-sha-256\n"


def primary_postgres(directory: Path) -> EmbeddedPostgres:
    """Return the benchmark's PostgreSQL, which also admits standbys."""
    with embedded_postgres(directory):
        pass  # its first start makes the roles, and needs its own admission for that
    admission = Path(tempfile.mkdtemp(prefix="admission-")) / "pg_hba.conf"
    admission.write_text(_ADMISSION)
    admission.parent.chmod(0o755)
    return EmbeddedPostgres(directory, settings={**POSTGRES_SETTINGS, "hba_file": str(admission)})


@contextmanager
def serving_with_standby(primary: EmbeddedPostgres, data: Path, dataset: Dataset, load: Load) -> Iterator[Server]:
    """Start a standby and the product that reads from it, and end both with the block."""
    url = primary.url_as(SUPERUSER)
    asyncio.run(_grant(url))
    with tempfile.TemporaryDirectory(prefix="standby-", dir=data) as path:
        directory = Path(path)
        directory.chmod(0o711)
        give(data / "data", account_of(data / "data"))  # the passwords, which root wrote, are copied by the server
        _copy(url, directory / "data")
        give(directory / "data", account_of(data / "data"))
        with EmbeddedPostgres(directory, settings=POSTGRES_SETTINGS) as standby:
            role = urlsplit(dataset.database_url).username or SERVICE
            standby_url = urlsplit(standby.url_as(role))._replace(path=f"/{dataset.database}").geturl()
            product = replace(product_here(WITH_STANDBY), settings={f"{PREFIX}READ_DATABASE_URLS": standby_url})
            with serving_product(product, dataset, 1, load) as server:
                yield server


def _copy(url: str, data: Path) -> None:
    parts = urlsplit(url)
    (host,) = parse_qs(parts.query)["host"]
    source = f"host={host} port=5432 user={parts.username} password={parts.password}"
    program = package() / "pginstall" / "bin" / "pg_basebackup"
    subprocess.run([program, "-D", data, "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync"], check=True)


async def _grant(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"grant pg_read_all_stats to {SERVICE}")
    finally:
        await connection.close()
