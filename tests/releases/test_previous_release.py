"""The code of the previous release serves upon today's schema, so that an upgrade has no gap."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.releases.older import ROOT, environment_with, extract

LONGEST = 900  # seconds
_FILES = ("src", "tests", "benchmarks", "migrations", "pyproject.toml", "run.py", "tools", "docs", "README.md")
_FEW = ["tests/api/test_lookup.py"]
_FAILS_ANYWAY = "tests/api/test_settings_changes.py::test_each_change_that_is_in_force_is_an_event"
"""It fails at the commit that set the version 0.2.0, upon that commit's own schema, too; at the tag it passes."""


@pytest.mark.parametrize("tests", [_FEW, pytest.param(["tests/api"], marks=pytest.mark.slow)], ids=["few", "all"])
def test_the_api_tests_of_the_previous_release_pass_with_todays_migrations(
    previous_release: str, tmp_path: Path, tests: list[str]
) -> None:
    extract(previous_release, tmp_path, *_FILES)
    _bring_todays_migrations(tmp_path)
    environment = environment_with(tmp_path / "src", tmp_path)
    of_this_run = [name for name in os.environ if name.startswith(("PYTEST_", "TEST_RUN_"))]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *tests, "-n", "0", "-q", "-p", "no:cacheprovider", "--deselect", _FAILS_ANYWAY],
        cwd=tmp_path,
        env={name: value for name, value in environment.items() if name not in of_this_run},
        capture_output=True, text=True, timeout=LONGEST, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]


def _bring_todays_migrations(directory: Path) -> None:
    versions = directory / "migrations" / "versions"
    shutil.rmtree(versions)
    shutil.copytree(ROOT / "migrations" / "versions", versions, ignore=shutil.ignore_patterns("__pycache__"))
