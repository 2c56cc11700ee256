"""The OpenAPI document that a service serves, for the tools that read it."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

PATIENCE = 300  # seconds; long, because packages may come from a slow registry


@pytest.fixture
def document(service_url: str, tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_bytes(httpx.get(f"{service_url}/openapi.json").raise_for_status().content)
    return path


def install(command: Sequence[str], directory: Path) -> None:
    """Run a command that needs a package registry. If it fails, skip the test, but not in CI."""
    done = _done(command, directory)
    if done.returncode != 0:
        reason = f"needs a package registry: {done.stderr}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def run(command: Sequence[str], directory: Path, **variables: str) -> None:
    """Run a command that must succeed."""
    done = _done(command, directory, **variables)
    assert done.returncode == 0, done.stdout + done.stderr


def _done(command: Sequence[str], directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | variables
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
