"""Builds the peers in Go and Rust from Debian's packages alone: nothing else is downloaded, and no lock file needed.

A program is kept beside the databases, and built again when its source has changed.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.datasets import default_directory
from benchmarks.errors import MissingProgramError
from benchmarks.progress import say

GO, RUST = "go", "rust"

_SOURCES = Path(__file__).parent / "peers"
_GO_PATH = Path("/usr/share/gocode")
_CRATES = Path("/usr/share/cargo/registry")
_PROGRAMS = {GO: {"golang-go": "go"}, RUST: {"cargo": "cargo", "rustc": "rustc"}}
_LIBRARIES: Mapping[str, Mapping[str, tuple[Path, str]]] = {
    GO: {"golang-github-jackc-pgx-v4-dev": (_GO_PATH, "src/github.com/jackc/pgx/v4")},
    RUST: {
        f"librust-{name}-dev": (_CRATES, f"{name.replace('serde-', 'serde_')}-[0-9]*")
        for name in (
            "base64",
            "hyper",
            "serde",
            "serde-derive",
            "serde-json",
            "sha2",
            "tokio",
            "tokio-postgres",
            "uuid",
        )
    },
}
"""The file that each package of Debian brings, as a directory and a pattern in it."""


def compiled(name: str) -> Path:
    """Return the program of a peer, built if it is missing.

    Raises `MissingProgramError`, which names the packages that are missing.
    """
    sources = _SOURCES / name
    program = default_directory() / "peers" / f"{name}-{_fingerprint(sources)}"
    if not program.exists():
        if missing := missing_packages(name):
            raise MissingProgramError(f"apt-get install --no-install-recommends {' '.join(missing)}")
        say(f"Building the peer in {name} …")
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as directory:
            built = _BUILDERS[name](sources, Path(directory))
            built.rename(program)
    return program


def missing_packages(name: str) -> Sequence[str]:
    """Return the names of Debian's packages that a peer is built with and that are not installed."""
    programs = [package for package, program in _PROGRAMS[name].items() if shutil.which(program) is None]
    libraries = [
        package
        for package, (directory, pattern) in _LIBRARIES[name].items()
        if next(directory.glob(pattern), None) is None
    ]
    return [*programs, *libraries]


def _build_go(sources: Path, directory: Path) -> Path:
    program = directory / "peer"
    settings = {"GO111MODULE": "off", "GOPATH": str(_GO_PATH), "GOCACHE": str(directory / "cache"), "GOFLAGS": ""}
    _run(["go", "build", "-o", str(program), str(sources / "main.go")], directory, settings)
    return program


def _build_rust(sources: Path, directory: Path) -> Path:
    project = directory / "peer"  # cargo writes a lock file, which has no place in the checkout
    shutil.copytree(sources, project)
    _run(["cargo", "build", "--release", "--quiet"], project, {"CARGO_TARGET_DIR": str(directory / "target")})
    return directory / "target" / "release" / "peer"


_BUILDERS: Mapping[str, Callable[[Path, Path], Path]] = {GO: _build_go, RUST: _build_rust}


def _run(command: Sequence[str], directory: Path, settings: Mapping[str, str]) -> None:
    ran = subprocess.run(
        command, cwd=directory, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise MissingProgramError(f"{command[0]} failed: {ran.stderr.strip()}")


def _fingerprint(sources: Path) -> str:
    content = hashlib.sha256()
    for path in sorted(each for each in sources.rglob("*") if each.is_file()):
        content.update(f"{path.relative_to(sources)}\0".encode() + path.read_bytes())
    return content.hexdigest()[:16]
