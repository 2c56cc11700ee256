"""npm packages that tests need, as a lock file names them."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock
from platformdirs import user_cache_path

LOCK = "package-lock.json"


def installed_packages(sources: Path) -> Path:
    """Return the directory of the packages in the lock file of `sources`: they are installed once, into the user's cache.

    Skip the test if npm is missing, or cannot install them, which fails in CI.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    digest = hashlib.sha256((sources / LOCK).read_bytes()).hexdigest()[:16]
    directory = user_cache_path("profile-lookup-tests") / f"node-{digest}"
    directory.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{directory}.lock"):
        if not (directory / "installed").exists():
            _install(sources, directory)
    return directory / "node_modules"


def _install(sources: Path, directory: Path) -> None:
    for name in ("package.json", LOCK, ".npmrc"):
        shutil.copy(sources / name, directory)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        reason = f"npm cannot install the packages: {done.stderr.strip()[-500:]}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    (directory / "installed").touch()
