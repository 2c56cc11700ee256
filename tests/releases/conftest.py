"""Older releases, the older commit and the stores that they write: each is made once per run, for the slow proofs."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from filelock import FileLock

from tests.databases import RUN_DIRECTORY, execute, url_of
from tests.releases.older import ROOT, NotReachable, commit_of_previous_release, extract, install
from tests.releases.older_store import OlderStore, Writer, migrate, write_older_store


@pytest.fixture(scope="session")
def release_directory() -> Callable[[str], Path]:
    """Return a function that returns the directory in which a release of phonenumbers is installed."""

    def directory_of(release: str) -> Path:
        try:
            return _once(f"phonenumbers-{release}", lambda directory: install(release, directory))
        except NotReachable as reason:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(reason))

    return directory_of


@pytest.fixture(scope="session")
def previous_release() -> str:
    """The commit of the release before this checkout."""
    try:
        return commit_of_previous_release()
    except NotReachable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def source_directory() -> Callable[[str | None], Path]:
    """Return a function that returns the directory with the source of a commit, or of this checkout."""

    def directory_of(commit: str | None) -> Path:
        if commit is None:
            return ROOT / "src"
        try:
            return _once(f"commit-{commit}", lambda directory: extract(commit, directory, "src", "migrations")) / "src"
        except NotReachable as reason:  # a shallow clone, also in CI
            pytest.skip(str(reason))

    return directory_of


@pytest.fixture(scope="session")
def written_store(
    server_url: str, release_directory: Callable[[str], Path], source_directory: Callable[[str | None], Path]
) -> Callable[[Writer], OlderStore]:
    """Return a function that returns a store that an older process wrote, migrated to today's schema.

    Tests may change copies of its database, and not the database itself.
    """

    def store_of(writer: Writer) -> OlderStore:
        described = Path(os.environ[RUN_DIRECTORY]) / f"{writer}.json"
        directories = release_directory(writer.phonenumbers), source_directory(writer.commit)
        with FileLock(f"{described}.lock"):
            if not described.exists():
                name = f"older_{uuid4().hex}"
                asyncio.run(execute(server_url, f"create database {name}"))
                written = asyncio.run(write_older_store(url_of(server_url, name), writer, *directories))
                migrate(url_of(server_url, name))
                described.write_text(json.dumps(written))
            return OlderStore(*json.loads(described.read_text()))

    return store_of


def _once(name: str, fill: Callable[[Path], Path]) -> Path:
    """Return a directory that the pytest workers share. The first of them fills it."""
    directory = Path(os.environ[RUN_DIRECTORY]) / name
    with FileLock(f"{directory}.lock"):
        if not directory.exists():
            shutil.move(fill(directory.with_name(f"{name}.part")), directory)
    return directory
