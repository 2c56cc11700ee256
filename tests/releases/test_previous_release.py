"""The code of the previous release serves upon today's schema, so that an upgrade has no gap."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.releases.previous import extract_previous_release

PATIENCE = 900  # seconds
_FEW = ["tests/api/test_lookup.py"]


@pytest.mark.parametrize("tests", [_FEW, pytest.param(["tests/api"], marks=pytest.mark.slow)], ids=["few", "all"])
def test_the_api_tests_of_the_previous_release_pass_with_todays_migrations(tmp_path: Path, tests: list[str]) -> None:
    extract_previous_release(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TEST_RUN_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *tests, "-n", "0", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "src"), str(tmp_path)])},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
