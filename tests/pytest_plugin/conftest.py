"""Projects of users, whose tests are run by a pytest of their own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import PATIENCE
from tests.program.conftest import environment

SESSION_PATIENCE = 3 * PATIENCE  # a session is several processes, which start one after another


def run_tests(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a project, in an environment without the variables of the pytest that runs this."""
    own = {name: value for name, value in environment().items() if not name.startswith("PYTEST_")}
    # Other plugins take a second to load. What `-p` does here, the entry point does for users.
    own |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "profile_lookup.pytest_plugin", "-p", "no:cacheprovider", *arguments],
        cwd=project,
        env=own | variables,
        capture_output=True,
        text=True,
        timeout=SESSION_PATIENCE,
        check=False,
    )
