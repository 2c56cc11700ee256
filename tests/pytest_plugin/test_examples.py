"""The examples of docs/testing.md run as they are written."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE
from tests.program.conftest import environment
from tests.pytest_plugin.conftest import run_tests

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()


def examples(section: str, language: str) -> list[str]:
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return found


def test_the_examples_for_pytest_pass(tmp_path: Path) -> None:
    written = examples("pytest", "python")
    for number, example in enumerate(written):
        (tmp_path / f"test_{number}.py").write_text(example)
    ran = run_tests(tmp_path)
    assert ran.returncode == 0, ran.stdout
    assert f"{sum(example.count('def test_') for example in written)} passed" in ran.stdout


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_example_for_node_passes(tmp_path: Path) -> None:
    (example,) = examples("Node's test runner", "js")
    (tmp_path / "identity.test.mjs").write_text(example)
    program = tmp_path / "bin" / "profile-lookup"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m profile_lookup "$@"\n')
    program.chmod(0o755)
    variables = environment()
    ran = subprocess.run(
        ["node", "--test"], cwd=tmp_path, env=variables | {"PATH": f"{program.parent}:{variables['PATH']}"},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "pass 1" in ran.stdout


def test_the_example_for_github_is_a_workflow(tmp_path: Path) -> None:
    (example,) = examples("GitHub Actions", "yaml")
    (tmp_path / "workflow.yml").write_text(example)
    checked = subprocess.run(
        [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", "workflow.yml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
