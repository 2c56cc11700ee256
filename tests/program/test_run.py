"""`run.py` during the installation."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PATIENCE
from tests.program.conftest import environment

ROOT = Path(__file__).parents[2]


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
                assert output == ("", "run.py: installing into .venv, this once …\n")
                while installing.recv(1024):  # until the child process of pip, which owns the connection, has ended
                    pass
    assert not (checkout / ".venv" / "made-with").exists()
    assert list(scratch.iterdir()) == []
