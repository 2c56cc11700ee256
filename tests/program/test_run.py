"""`run.py`: what it installs, and where it runs what."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from runpy import run_path

import pytest

from tests.conftest import PATIENCE
from tests.program.conftest import command, environment

ROOT = Path(__file__).parents[2]
LOCKED = len(re.findall("^[a-z0-9-]+==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
INSTALLING = f"""\
run.py: installing into .venv, this once, in three steps
run.py: 1 of 3: making the environment …
run.py: 2 of 3: installing {LOCKED} packages, 40 MB to download …
"""


def _press_ctrl_c(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all foreground processes


@pytest.mark.parametrize(
    ("end_process", "code"), [(_press_ctrl_c, 128 + signal.SIGINT), (subprocess.Popen.terminate, 128 + signal.SIGTERM)]
)
def test_a_signal_during_the_installation_ends_pip_too_and_leaves_nothing_unfinished(
    tmp_path: Path, end_process: Callable[[subprocess.Popen[str]], None], code: int
) -> None:
    checkout, scratch = tmp_path / "checkout", tmp_path / "scratch"
    checkout.mkdir()
    scratch.mkdir()
    for name in ("run.py", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, checkout)
    plain = {name: value for name, value in environment().items() if not name.startswith("PIP_")}
    with socket.create_server(("127.0.0.1", 0)) as registry:  # a registry that never answers
        registry.settimeout(PATIENCE)
        with subprocess.Popen(
            [f"{sys.base_prefix}/bin/python3", checkout / "run.py", "--version"],  # the Python that has pip
            env=plain
            | {
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_INDEX_URL": f"http://127.0.0.1:{registry.getsockname()[1]}/",
                "TMPDIR": str(scratch),
                "no_proxy": "*",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        ) as process:
            installing, _ = registry.accept()
            with installing:
                installing.settimeout(PATIENCE)
                end_process(process)
                output = process.communicate(timeout=PATIENCE)
                assert process.returncode == code
                assert output == ("", INSTALLING)
                while installing.recv(1024):  # until the child process of pip, which owns the connection, has ended
                    pass
    assert not (checkout / ".venv" / "made-with").exists()
    assert list(scratch.iterdir()) == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout where everything is installed; `.venv/bin/python` is a script that each test writes."""
    copy = tmp_path / "checkout"
    (copy / ".venv" / "bin").mkdir(parents=True)
    for name in ("run.py", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / name, copy)
        if name.endswith(".lock"):
            fingerprint = run_path(str(copy / "run.py"))["_fingerprint"](name)
            (copy / ".venv" / f"installed-{name}").write_text(fingerprint)
    return copy


def _run(
    checkout: Path,
    script: str,
    *arguments: str,
    python: str | Path = sys.executable,
    path: str = os.environ["PATH"],
    **settings: object,
) -> subprocess.CompletedProcess[str]:
    """Run the checkout's run.py from another directory. `path`: where programs are looked for."""
    installed = checkout / ".venv" / "bin" / "python"
    installed.write_text(f"#!/bin/sh\n{script}\n")
    installed.chmod(0o755)
    elsewhere = checkout.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    return subprocess.run(
        [python, checkout / "run.py", *arguments],
        cwd=elsewhere, env=environment(**settings) | {"PATH": path}, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "directory", "command"),
    [
        ([], "elsewhere", "-P -m profile_lookup serve --demo"),
        (["serve", "--port", "0"], "elsewhere", "-P -m profile_lookup serve --port 0"),
        (["import", "people.csv"], "elsewhere", "-P -m profile_lookup import people.csv"),
        (["test", "tests/identity"], "checkout", "-m pytest tests/identity"),
        (["bench", "--help"], "checkout", "-m benchmarks --help"),
        (["check"], "checkout", "tools/checks.py check"),
        (["lock"], "checkout", "tools/checks.py lock"),
        (["phones"], "checkout", "-m tests.releases.answers write"),
    ],
)
def test_commands_run_in_the_callers_directory_and_development_tasks_in_the_checkout(
    checkout: Path, arguments: list[str], directory: str, command: str
) -> None:
    ran = _run(checkout, 'pwd -P; echo "$@"', *arguments)
    assert ran.returncode == 0
    assert ran.stdout.splitlines() == [str(checkout.with_name(directory).resolve()), command]


def test_a_path_in_a_commands_arguments_starts_at_the_callers_directory(checkout: Path, database_url: str) -> None:
    account = command("accounts", "create", "acme", DATABASE_URL=database_url)
    assert account.returncode == 0, account.stderr
    store = command("stores", "create", "customers", DATABASE_URL=database_url).stdout.strip()
    python = f'exec "{sys.executable}" "$@"'
    exported = _run(
        checkout, python, "export", "--store", store, "--output", "customers.jsonl", DATABASE_URL=database_url
    )
    assert (exported.returncode, exported.stderr) == (0, "")
    assert [file.name for file in (checkout.parent / "elsewhere").iterdir()] == ["customers.jsonl"]


@pytest.mark.parametrize("arguments", [[], ["serve"], ["bench"]])
def test_the_python_is_named_before_it_serves_or_measures(checkout: Path, arguments: list[str]) -> None:
    (line,) = _run(checkout, "", *arguments).stderr.splitlines()
    assert line.startswith(f"run.py: Python {sys.version.split()[0]}, built with")


@pytest.mark.parametrize("arguments", [["--version"], ["export"], ["test"], ["check"]])
def test_other_commands_print_nothing_of_their_own(checkout: Path, arguments: list[str]) -> None:
    assert _run(checkout, "", *arguments).stderr == ""


OPTIMIZED = "'--prefix=/opt/python' '--enable-optimizations' '--with-lto'"


def _python(directory: Path, configured: str, *, has_pip: bool = True) -> Path:
    """Make a Python that says of itself that it was configured in this way."""
    directory.mkdir()
    (directory / "sysconfig.py").write_text(f"def get_config_var(name):\n    return {configured!r}\n")
    without_pip = "" if has_pip else "importlib.util.find_spec = lambda name: None\n"
    (directory / "sitecustomize.py").write_text(
        f"import sys, importlib.util\nsys.base_prefix = '/opt/python'\n{without_pip}"
    )
    python = directory / "python3.14"  # the first name that is looked for
    python.write_text(f'#!/bin/sh\nPYTHONPATH={directory} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def test_a_slow_python_names_a_faster_one_that_is_installed(checkout: Path, tmp_path: Path) -> None:
    slow = _python(tmp_path / "slow", "'--prefix=/opt/python'")
    without_pip = _python(tmp_path / "without", OPTIMIZED, has_pip=False)
    faster = _python(tmp_path / "faster", OPTIMIZED)
    path = os.pathsep.join([*(str(each.parent) for each in (slow, without_pip, faster)), "/bin"])
    said = {each: _run(checkout, "", "serve", python=each, path=path).stderr.rstrip() for each in (slow, faster)}
    named = f"without optimizations, which costs a fifth of the speed; faster: {faster} {checkout / 'run.py'}"
    assert said[slow].endswith(named)
    assert said[faster].endswith(", built with optimizations")
