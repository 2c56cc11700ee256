"""The packages that a release consists of, and environments into which they are installed."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program.conftest import environment

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
_TIME_OF_RELEASE = "1767225600"  # what SOURCE_DATE_EPOCH says, in seconds


def succeed(*command: object, cwd: Path | None = None) -> str:
    """Run a command that has to succeed, in an environment without our settings, and return its output."""
    variables = {name: value for name, value in environment().items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    ran = subprocess.run(
        list(map(str, command)), cwd=cwd, env=variables | {"SOURCE_DATE_EPOCH": _TIME_OF_RELEASE},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def build(source: Path, directory: Path) -> dict[str, Path]:
    """Build the sdist and the wheel of a source tree into the directory, and return them by the end of their name."""
    succeed(BIN / "hatchling", "build", "--directory", directory, cwd=source)
    return {path.suffix: path for path in directory.iterdir()}


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The packages of this checkout, by the end of their name: `.gz` and `.whl`."""
    return build(ROOT, tmp_path_factory.mktemp("packages"))


@pytest.fixture
def unpacked(packages: dict[str, Path], tmp_path: Path) -> Path:
    """The source tree in the sdist, whose files have other times than those of this checkout."""
    with tarfile.open(packages[".gz"]) as files:
        files.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    for path in source.rglob("*"):
        os.utime(path)
    return source


@pytest.fixture
def fresh_environment(packages: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that installs the wheel with extras into an environment, and returns where its commands are.

    It skips the test if there is no package registry, but not in CI.
    """

    def install(extras: str) -> Path:
        uv = BIN / "uv"
        succeed(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
        if not os.environ.get("CI") and not _registry_answers(uv):
            pytest.skip("the package registry does not answer")
        wheel = shutil.copy(packages[".whl"], tmp_path)
        succeed(
            uv, "pip", "install", "--quiet", "--system-certs", "--python", tmp_path / "venv",
            f"profile-lookup{extras} @ {Path(wheel).as_uri()}",
        )  # fmt: skip
        return tmp_path / "venv" / "bin"

    return install


def _registry_answers(uv: Path) -> bool:
    asked = subprocess.run(
        [uv, "pip", "compile", "--quiet", "--system-certs", "--no-cache", "-"],
        input="idna", capture_output=True, text=True, check=False,
    )  # fmt: skip
    return asked.returncode == 0
