"""Runs commands in processes forked from one that has loaded their modules, which takes most of the time of a command.

The commands are the same and end as from a shell. That they load no more than they need is shown elsewhere.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from profile_lookup.__main__ import main

_LOADED = [
    "profile_lookup.cli",
    "profile_lookup.commands.accounts",
    "profile_lookup.commands.explain",
    "profile_lookup.commands.imports.import_file",
    "profile_lookup.commands.keys",
    "profile_lookup.commands.serve",
    "profile_lookup.commands.split",
    "profile_lookup.commands.stores",
]

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__, *_LOADED])


def run_command(
    arguments: Sequence[str], variables: Mapping[str, str], answer: str, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `profile-lookup` with these arguments, environment variables and input. Raises `TimeoutExpired`."""
    with tempfile.TemporaryDirectory() as directory:
        streams = [Path(directory) / name for name in ("in", "out", "err")]
        streams[0].write_text(answer)
        process = _processes.Process(target=_main, args=(arguments, dict(variables), streams))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        out, err = (path.read_text() for path in streams[1:])
        return subprocess.CompletedProcess(arguments, process.exitcode, out, err)


def _main(arguments: Sequence[str], variables: Mapping[str, str], streams: Sequence[Path]) -> None:
    os.environ.clear()
    os.environ.update(variables)
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 -- multiprocessing has closed it
    sys.argv = ["profile-lookup", *arguments]
    main()
