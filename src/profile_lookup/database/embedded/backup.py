"""Backs up the embedded PostgreSQL while it serves: copies its files, and the log of what was written meanwhile.

The copy is a data directory. A server that is started on it replays the log first, and then has what had been committed
when the backup ended. PostgreSQL documents this way as "Making a Base Backup Using the Low Level API".
"""

import os
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import asyncpg

_NOT_COPIED = ("postmaster.pid", "postmaster.opts", "pgsql_tmp", ".s.PGSQL.5432", ".s.PGSQL.5432.lock")
_COPIED_EMPTY = ("pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_subtrans")
_PRIVATE = 0o700
# The slot keeps the log that is written from now on. The server drops it when this connection ends.
_KEEP_LOG = "select pg_create_physical_replication_slot('backup_' || pg_backend_pid(), true, true)"
_START = "select pg_walfile_name(pg_backup_start('profile-lookup', fast => true))"
_STOP = "select pg_walfile_name(lsn) as last, labelfile from pg_backup_stop(wait_for_archive => false)"


async def back_up(superuser_url: str, data: Path, copy: Path) -> None:
    """Copy the cluster `data` of a running server into the new directory `copy`, which appears when it is complete.

    Raises `OSError` and what asyncpg raises.
    """
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(_KEEP_LOG)
        first = await connection.fetchval(_START)
        _copy_directory(data, unfinished)
        stopped = await connection.fetchrow(_STOP)
        assert stopped is not None
        (unfinished / "backup_label").write_text(stopped["labelfile"])
        segments = sorted(path for path in (data / "pg_wal").iterdir() if first <= path.name <= stopped["last"])
        _copy_files(segments, unfinished / "pg_wal")
    finally:
        await connection.close()
    _give_to_owner_of(data, unfinished)
    os.sync()
    unfinished.rename(copy)


def _copy_directory(source: Path, target: Path) -> None:
    target.mkdir(_PRIVATE)
    entries = [entry for entry in source.iterdir() if entry.name not in _NOT_COPIED]
    _copy_files((entry for entry in entries if entry.is_file()), target)
    for directory in (entry for entry in entries if entry.is_dir()):
        if directory.name in _COPIED_EMPTY:
            (target / directory.name).mkdir(_PRIVATE)
        else:
            _copy_directory(directory, target / directory.name)


def _copy_files(files: Iterable[Path], target: Path) -> None:
    for file in files:
        with suppress(FileNotFoundError):  # the server has removed the file, and the replay of its log does so, too
            shutil.copyfile(file, target / file.name)
            (target / file.name).chmod(stat.S_IMODE(file.stat().st_mode))


def _give_to_owner_of(source: Path, target: Path) -> None:
    owner = source.stat()
    for path in (target, *target.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
