"""What a command loads before it does anything: the time that loading takes is the time that everybody waits."""

import subprocess
import sys

from tests.conftest import PATIENCE
from tests.program.conftest import environment

IMPORT_COMMANDS = """
import importlib, pkgutil, sys
from profile_lookup import commands
for module in pkgutil.iter_modules(commands.__path__, "profile_lookup.commands."):
    importlib.import_module(module.name)
    print(module.name, *sorted({"fastapi", "starlette", "uvicorn"} & sys.modules.keys()))
"""


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip


def test_showing_the_version_loads_neither_the_settings_nor_a_framework() -> None:
    shown = _run("-X", "importtime", "-m", "profile_lookup", "--version")
    modules = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert {"profile_lookup.cli", "typer"} <= modules
    packages = {module.partition(".")[0] for module in modules}
    assert not packages & {"fastapi", "starlette", "pydantic", "pydantic_settings", "sqlalchemy", "asyncpg", "rich"}
    own = {".".join(module.split(".")[:2]) for module in modules if module.startswith("profile_lookup.")}
    assert own == {"profile_lookup.cli", "profile_lookup.errors", "profile_lookup.garbage_collection"}


def test_no_command_loads_the_web_framework_before_it_serves() -> None:
    loaded = dict(line.partition(" ")[::2] for line in _run("-c", IMPORT_COMMANDS).stdout.splitlines())
    assert "profile_lookup.commands.worker" in loaded
    assert loaded == dict.fromkeys(loaded, "")
