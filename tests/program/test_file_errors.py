"""Files that cannot be written: one line says why, and the exit code is 1. A reader that has ended is no error at all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE
from tests.program.conftest import command, environment

FULL = Path("/dev/full")
needs_full_device = pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> dict[str, object]:
    return {"DATABASE_URL": database_url, "DATA_DIR": tmp_path / "data"}


@pytest.fixture
def store(settings: dict[str, object]) -> str:
    """A store whose export is larger than the buffer of a pipe."""
    demo: dict[str, str] = json.loads(command("demo", "--json", **settings).stdout)
    return demo["storeId"]


def _process(*arguments: str, stdout: int, **settings: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "profile_lookup", *arguments],
        env=environment(**settings), stdout=stdout, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _end_with_full_output(*arguments: str, **settings: object) -> tuple[int, str]:
    with FULL.open("wb") as full, _process(*arguments, stdout=full.fileno(), **settings) as process:
        _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def _end_with_closed_output(*arguments: str, **settings: object) -> tuple[int, str]:
    """The reader has ended before anything was written."""
    reader, writer = os.pipe()
    with _process(*arguments, stdout=writer, **settings) as process:
        os.close(writer)
        os.close(reader)
        _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def test_an_export_into_a_missing_directory_names_the_file(
    store: str, settings: dict[str, object], tmp_path: Path
) -> None:
    file = tmp_path / "missing" / "store.jsonl"
    failed = command("export", "--store", store, "--output", str(file), **settings)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == f"profile-lookup: {file}.part: No such file or directory\n"


@pytest.mark.slow
@needs_full_device
def test_an_export_onto_a_full_device_says_so_and_leaves_the_device(store: str, settings: dict[str, object]) -> None:
    full = (1, "profile-lookup: No space left on device\n")
    failed = command("export", "--store", store, "--output", str(FULL), **settings)
    assert (failed.returncode, failed.stderr) == full
    assert FULL.is_char_device()
    assert _end_with_full_output("export", "--store", store, **settings) == full


@pytest.mark.slow
def test_an_export_ends_quietly_when_its_reader_ends(store: str, settings: dict[str, object]) -> None:
    with _process("export", "--store", store, stdout=subprocess.PIPE, **settings) as head:
        assert head.stdout is not None
        assert head.stdout.readline().startswith('{"format":"profile-lookup archive"')
        head.stdout.close()
        assert head.stderr is not None
        assert (head.stderr.read(), head.wait(PATIENCE)) == ("", 1)
    assert _end_with_closed_output("export", "--store", store, **settings) == (1, "")


@pytest.mark.slow
def test_refused_rows_that_cannot_be_written_are_an_error(
    store: str, settings: dict[str, object], tmp_path: Path
) -> None:
    people, refused = tmp_path / "people.csv", tmp_path / "missing" / "refused.csv"
    people.write_text("email\nada@example.com\n")
    failed = command("import", str(people), "--store", store, "--refused", str(refused), **settings)
    assert failed.returncode == 1
    assert failed.stderr == f"profile-lookup: {refused}: No such file or directory\n"


@needs_full_device
def test_short_output_that_cannot_be_written_is_noticed_at_the_end() -> None:
    assert _end_with_full_output("--version") == (1, "profile-lookup: No space left on device\n")
    assert _end_with_closed_output("--version") == (1, "")
