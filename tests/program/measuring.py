"""Runs a command and measures its memory."""

import subprocess
import sys

from tests.program.conftest import environment

_MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""
"""Runs a command, and writes its peak of memory last."""


def measured(*arguments: str, **settings: object) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run the command, and return how it ended, and the bytes of memory that it took at most."""
    line = [sys.executable, "-c", _MEASURE, sys.executable, "-m", "profile_lookup", *arguments]
    done = subprocess.run(line, env=environment(**settings), capture_output=True, text=True, check=False)
    return done, int(done.stderr.splitlines()[-1]) * (1 if sys.platform == "darwin" else 1024)
