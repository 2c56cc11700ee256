"""The previous release: its commit, and its files with the migrations of this checkout."""

import re
import shutil
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PREVIOUS = "0.2.0"
_FILES = ("src", "tests", "benchmarks", "migrations", "pyproject.toml", "run.py", "tools", "docs", "README.md")


def commit_of_previous_release() -> str:
    """Return the commit of the tag, or, without tags, the first one whose pyproject.toml has the release's version.

    Skips the test if the history does not reach that far.
    """
    tagged = _git("rev-parse", "--verify", "--quiet", f"{PREVIOUS}^{{commit}}")
    if tagged is not None:
        return tagged
    version = f'version = "{PREVIOUS}"'
    changes = _git("log", "--format=%H", "--reverse", "-S", version, "--", "pyproject.toml")
    for commit in (changes or "").split():
        if re.search(f"^{re.escape(version)}$", _git("show", f"{commit}:pyproject.toml") or "", re.MULTILINE):
            return commit
    pytest.skip(f"the history has no commit of release {PREVIOUS}: fetch the tags")


def extract_previous_release(directory: Path) -> None:
    """Write the release's files into the directory, and this checkout's migrations over its own."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", commit_of_previous_release(), *_FILES],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(directory, filter="data")
    versions = directory / "migrations" / "versions"
    shutil.rmtree(versions)
    shutil.copytree(ROOT / "migrations" / "versions", versions, ignore=shutil.ignore_patterns("__pycache__"))


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
