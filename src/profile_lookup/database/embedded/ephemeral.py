"""An embedded PostgreSQL whose database is new at each start, and gone at the end. Nothing in it has to last.

    cache/
    ├── cache.lock            held while a template is made, and while directories of servers are created and removed
    ├── template-<key>/       the directory of a server that was initialized, migrated and stopped
    │   └── listing           what its data consists of; written last
    └── ephemeral/<random>/   the directory of a server: a copy of the template's data

To initialize and migrate takes a second, to copy a template less than a tenth of it. `key` names PostgreSQL's version
and the migrations. See docs/decisions/0029-a-server-for-tests.md.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from profile_lookup.database.embedded import guard
from profile_lookup.database.embedded.directories import DIRECTORY_MODE, make_directory, package
from profile_lookup.database.embedded.errors import EmbeddedPostgresError
from profile_lookup.database.embedded.keeper import kept_running
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.files import is_held, open_private, try_lock

_SETTING = "PROFILE_LOOKUP_CACHE_DIR"
_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
_SETTINGS["shared_preload_libraries"] = ""  # nothing of a server that is gone is worth loading
_UNUSED_FOR = 30 * 86_400  # seconds; then a template of another version is removed
_PATIENCE = 60.0  # seconds
_LOCKS = ("lease.lock", "guard.lock", "server.lock")

Migrate = Callable[[str], None]
"""Migrates the database at a URL."""


class EphemeralPostgres:
    """A running server. `directory` is removed with it, and has room for other files that must not outlive it."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self.url = url


@contextmanager
def ephemeral_postgres(cache: Path, key: str, migrate: Migrate) -> Iterator[EphemeralPostgres]:
    """Run a server on a copy of the template, which is made if it is missing. Raises `EmbeddedPostgresError`.

    If the server ends too early, its data is gone, so this process ends with it.
    """
    try:
        directory, server = _start(cache, _Template(cache / f"template-{key}{_suffix()}", migrate))
    except OSError as error:
        raise EmbeddedPostgresError(guard.explain(error, cache, _SETTING)) from error
    try:
        with kept_running(server, most_restarts=0):
            yield EphemeralPostgres(directory, server.url)
    finally:
        server.stop()


def _start(cache: Path, template: "_Template") -> tuple[Path, EmbeddedPostgres]:
    """Start a server. If it does not start, or if files are missing, the template is made anew, once."""
    try:
        return _start_once(cache, template)
    except (EmbeddedPostgresError, _Broken):
        with _locked(cache):
            template.remove_if_unchanged()
        return _start_once(cache, template)


def _start_once(cache: Path, template: "_Template") -> tuple[Path, EmbeddedPostgres]:
    with ExitStack() as until_leased:
        with _locked(cache):
            template.ensure()
            directory = until_leased.enter_context(_new_directory(cache / "ephemeral"))
        template.copy_to(directory / "data")
        server = _server(directory, copies=template.directory, remove=True)
        server.start()
        return directory, server


class _Broken(OSError):
    def __init__(self, directory: Path) -> None:
        super().__init__(0, "the template's files are incomplete", str(directory))


class _Template:
    def __init__(self, directory: Path, migrate: Migrate) -> None:
        self.directory = directory
        self._migrate = migrate
        self._listing = directory / "listing"
        self._found: tuple[int, int] | None = None

    def ensure(self) -> None:
        """Make the template, if it is missing. The caller holds the lock of the cache."""
        if self._listing.exists():
            os.utime(self.directory)
        else:
            self._make()
        self._found = self._identity()

    def _make(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        # It has another name until it is complete, so that an interruption leaves nothing that looks like a template.
        unfinished = self.directory.with_name(f"{self.directory.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            with _server(unfinished) as server:
                self._migrate(server.url)
            (unfinished / self._listing.name).write_text(_listed(unfinished / "data"))
            unfinished.rename(self.directory)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        self._remove_unused()

    def copy_to(self, data: Path) -> None:
        """Copy the data, on file systems that can do so by reference. Raises `OSError` if files are missing."""
        clone = "-c" if sys.platform == "darwin" else "--reflink=auto"
        # `cp -a` keeps the owner, who is another user if we are root.
        subprocess.run(["cp", "-a", clone, self.directory / "data", data], check=False, stderr=subprocess.DEVNULL)  # noqa: S603, S607
        if not self._listing.exists() or self._listing.read_text() != _listed(data):
            raise _Broken(self.directory)

    def remove_if_unchanged(self) -> None:
        """Remove the template that `ensure` found, unless it was replaced. The caller holds the lock."""
        if self._listing.exists() and self._identity() == self._found:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _identity(self) -> tuple[int, int]:
        status = self._listing.stat()
        return status.st_ino, status.st_mtime_ns

    def _remove_unused(self) -> None:
        for other in self.directory.parent.glob("template-*"):
            if time.time() - other.stat().st_mtime > _UNUSED_FOR:
                shutil.rmtree(other, ignore_errors=True)


def _suffix() -> str:
    """Return what distinguishes root's templates: they hold a copy of the wheel's programs, if these are in a home."""
    return f"-{hashlib.sha256(os.fsencode(package())).hexdigest()[:8]}" if os.geteuid() == 0 else ""


def _listed(data: Path) -> str:
    """Return a digest of the paths and sizes of all files: programs that clean caches remove single files."""
    files = ((path, path.lstat().st_size) for path in sorted(data.rglob("*")) if not path.is_dir())
    lines = [f"{path.relative_to(data)} {size}" for path, size in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _server(directory: Path, *, copies: Path | None = None, remove: bool = False) -> EmbeddedPostgres:
    return EmbeddedPostgres(directory, settings=_SETTINGS, copies=copies, remove=remove, setting=_SETTING)


@contextmanager
def _new_directory(parent: Path) -> Iterator[Path]:
    """Create the directory of a server, and lease it while the block runs, until the started server is leased.

    The caller holds the lock of the cache, so that nobody takes the directory for one that a dead process left.
    """
    make_directory(parent)
    _remove_abandoned(parent)
    directory = Path(tempfile.mkdtemp(dir=parent, prefix=""))
    directory.chmod(DIRECTORY_MODE)
    with open_private(directory / "lease.lock") as lease:
        try_lock(lease, shared=True)
        yield directory


def _remove_abandoned(parent: Path) -> None:
    """Remove the directories of servers that ended without doing so, because their guard was killed."""
    for directory in parent.iterdir():
        if not any(is_held(directory / name) for name in _LOCKS):
            shutil.rmtree(directory, ignore_errors=True)
        else:
            EmbeddedPostgres(directory).interrupt_unguarded()


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    make_directory(cache)
    if cache.stat().st_uid != os.geteuid():
        raise EmbeddedPostgresError(f"{cache} belongs to another user: set {_SETTING} to another directory")
    deadline = time.monotonic() + _PATIENCE
    with open_private(cache / "cache.lock") as lock:
        while not try_lock(lock, shared=False):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"another process works in {cache}: try again")
            time.sleep(0.01)
        yield
