"""Older releases of phonenumbers, and the code of an older commit, each in a directory of its own."""

import os
import subprocess
import sys
import tarfile
import tomllib
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[2]


class NotReachable(Exception):
    """The package registry does not answer, or this checkout does not have the commit."""


def install(release: str, directory: Path) -> Path:
    """Install a release of phonenumbers into the directory, and return the directory. Raises `NotReachable`."""
    uv = Path(sys.executable).with_name("uv")
    installed = subprocess.run(
        [uv, "pip", "install", "--quiet", "--system-certs", "--no-deps", "--target", directory, f"phonenumbers=={release}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if installed.returncode != 0:
        raise NotReachable(f"phonenumbers {release} cannot be installed: {installed.stderr}")
    # Today's code asks for this cache, which changes no answer and which releases before 9.0.43 do not have.
    with (directory / "phonenumbers/__init__.py").open("a") as package:
        package.write("\ndef enable_pattern_cache():\n    pass\n")
    return directory


def extract(commit: str, directory: Path, *paths: str) -> Path:
    """Write these paths of a commit into the directory, and return the directory. Raises `NotReachable`."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", commit, *paths], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode != 0:
        raise NotReachable(f"this checkout has no history as far back as commit {commit}")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(directory, filter="data")
    return directory


def commit_of_previous_release() -> str:
    """Return the commit of the newest release with another version than this checkout has. Raises `NotReachable`.

    Its tag names it. Tags do not reach every clone: without it, it is the newest commit that set another version.
    """
    if _git("rev-parse", "--is-shallow-repository") == "false":
        for commit in _git("log", "--format=%H", "-G", '^version = "', "--", "pyproject.toml").split():
            version = _version_at(commit)
            if version != _version_at("HEAD"):
                return _git("rev-parse", "--verify", "--quiet", f"refs/tags/{version}^{{commit}}") or commit
    raise NotReachable("this checkout has no history as far back as the previous release")


def _version_at(commit: str) -> str:
    return str(tomllib.loads(_git("show", f"{commit}:pyproject.toml"))["project"]["version"])


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def environment_with(*directories: Path) -> dict[str, str]:
    """Return an environment in which Python looks for modules in these directories first."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, directories))}
