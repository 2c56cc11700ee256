"""The kept inputs keep passing, and the command runs."""

import subprocess
import sys

import pytest

from tests.conftest import PATIENCE
from tests.fuzzing.corpus import read_corpus
from tests.fuzzing.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_the_kept_inputs_break_no_promise(target: str) -> None:
    inputs = read_corpus(target)
    assert inputs
    for each in inputs:
        TARGETS[target](each)


@pytest.mark.slow
def test_the_command_tries_as_many_inputs_as_its_argument_says() -> None:
    pytest.importorskip("atheris", reason="atheris has no package for this system")
    command = [sys.executable, "-m", "tests.fuzzing", "credentials", "--inputs", "1000", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert "Done 1000 runs" in done.stderr
