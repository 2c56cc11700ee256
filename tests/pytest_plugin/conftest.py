"""Projects of users, whose tests are run by a pytest of their own."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from tests.conftest import PATIENCE
from tests.program.conftest import environment

# What `-p` does here, the entry point does where the package is installed.
IS_INSTALLED = "profile_lookup.pytest_plugin" in {each.value for each in entry_points(group="pytest11")}
PLUGIN = [] if IS_INSTALLED else ["-p", "profile_lookup.pytest_plugin"]


def run_tests(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a project, in an environment without the variables of the pytest that runs this."""
    own = {name: value for name, value in environment().items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGIN, "-p", "no:cacheprovider", *arguments],
        cwd=project,
        env=own | {"PYTHONPATH": os.pathsep.join(sys.path)} | variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
