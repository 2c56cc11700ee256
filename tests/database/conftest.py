"""A PostgreSQL of a test's own, to be killed or stopped."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from profile_lookup.database.embedded import EmbeddedPostgres


@pytest.fixture
def own_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="postgres-") as path:
        Path(path).chmod(0o711)  # as root, PostgreSQL runs as somebody who has to pass through
        yield Path(path) / "pg"


def own_server(directory: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(directory, settings={"fsync": "off", "shared_buffers": "16MB"})


def postmaster(directory: Path) -> int:
    return int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])
