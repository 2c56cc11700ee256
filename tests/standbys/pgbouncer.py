"""PgBouncer in transaction mode, in front of a server of a cluster."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import PATIENCE
from tests.standbys.cluster import DATABASE, SERVICE, Server, free_port

_PROGRAM = os.environ.get("TEST_PGBOUNCER") or shutil.which("pgbouncer")
IGNORED = (
    "default_transaction_isolation, tcp_keepalives_idle, tcp_keepalives_interval, tcp_keepalives_count, "
    "tcp_user_timeout, plan_cache_mode, enable_seqscan, jit, lock_timeout, statement_timeout, "
    "idle_in_transaction_session_timeout"
)
"""The startup parameters that PgBouncer must ignore: `docs/scaling.md` has the same line."""


def is_installed() -> bool:
    """Return whether there is a PgBouncer that knows prepared statements, as 1.21 and later do."""
    if _PROGRAM is None:
        return False
    version = re.search(r"PgBouncer (\d+)\.(\d+)", subprocess.check_output([_PROGRAM, "--version"], text=True))
    return version is not None and (int(version[1]), int(version[2])) >= (1, 21)


@contextmanager
def running_pgbouncer(server: Server, directory: Path) -> Iterator[str]:
    """Yield the URL of the service's database, by way of PgBouncer, which has four connections to the server."""
    assert _PROGRAM is not None
    port = free_port()
    (directory / "pgbouncer.ini").write_text(
        f"""
[databases]
{DATABASE} = host=127.0.0.1 port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_prepared_statements = 200
ignore_startup_parameters = {IGNORED}
""".replace(f"port={server.port}", f"port={server.port} user={SERVICE}")
    )
    directory.chmod(0o755)
    (directory / "pgbouncer.ini").chmod(0o644)
    with (directory / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(
            [_PROGRAM, directory / "pgbouncer.ini"], cwd="/", stdout=log, stderr=log, **server.account
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while b"process up" not in (directory / "pgbouncer.log").read_bytes():
            assert time.monotonic() < deadline, (directory / "pgbouncer.log").read_text()
            time.sleep(0.02)
        yield f"postgresql://{SERVICE}@127.0.0.1:{port}/{DATABASE}"
    finally:
        process.terminate()
        process.wait()
