"""Runs commands in processes forked from one that has loaded their modules, which takes most of the time of a command.

The commands are the same and end as from a shell. That they load no more than they need is shown elsewhere.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from profile_lookup.__main__ import main

_LOADED = [
    "alembic.command",
    "profile_lookup.cli",
    "profile_lookup.commands.accounts",
    "profile_lookup.commands.archives",
    "profile_lookup.commands.explain",
    "profile_lookup.commands.export_csv",
    "profile_lookup.commands.imports.import_file",
    "profile_lookup.commands.keys",
    "profile_lookup.commands.serve",
    "profile_lookup.commands.split",
    "profile_lookup.commands.stores",
    "profile_lookup.commands.worker",
    "profile_lookup.serving.processes",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "typer.rich_utils",
]
"""The modules of the service's commands, and those that they import when they first need them."""

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__, *_LOADED])


class ForkedCommand:
    """A process that runs `profile-lookup`. Its methods do what those of `subprocess.Popen` do."""

    def __init__(self, arguments: Sequence[str], variables: Mapping[str, str], directory: Path | None = None) -> None:
        self.args = list(arguments)
        (its_input, own_input), (own_output, its_output), (own_errors, its_errors) = (
            _processes.Pipe(duplex=False) for _ in range(3)
        )
        streams = [its_input, its_output, its_errors]
        self._process = _processes.Process(target=_main, args=(self.args, dict(variables), directory, streams))
        self._process.start()
        for stream in streams:
            stream.close()
        self.stdin = _text_file(own_input, "w")
        self.stdout = _text_file(own_output, "r")
        self.stderr = _text_file(own_errors, "r")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._close()
        self.wait()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once the process has ended. Raises `TimeoutExpired`."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self._process.exitcode

    def communicate(self, text: str = "", timeout: float | None = None) -> tuple[str, str]:
        """Send this text, and return what the process still prints until it ends: its output, and its errors.

        Raises `TimeoutExpired` after the process was killed, since the pipes end only with it.
        """
        if self.stdout.closed:
            return "", ""
        with suppress(BrokenPipeError), self.stdin:
            self.stdin.write(text)
        with ThreadPoolExecutor(2) as readers:  # the process would wait for the reader of a full pipe
            output, errors = (readers.submit(stream.read) for stream in (self.stdout, self.stderr))
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        self._close()
        return output.result(), errors.result()

    def _close(self) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()


def run_command(
    arguments: Sequence[str], variables: Mapping[str, str], answer: str, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `profile-lookup` with these arguments, environment variables and input. Raises `TimeoutExpired`."""
    process = ForkedCommand(arguments, variables)
    out, err = process.communicate(answer, timeout)
    return subprocess.CompletedProcess(process.args, process.wait(), out, err)


def _text_file(end: "Connection[Any, Any]", mode: str) -> IO[Any]:
    with end:
        return os.fdopen(os.dup(end.fileno()), mode)


def _main(
    arguments: Sequence[str],
    variables: Mapping[str, str],
    directory: Path | None,
    streams: "Sequence[Connection[Any, Any]]",
) -> None:
    os.environ.clear()
    os.environ.update(variables)
    if directory is not None:
        os.chdir(directory)
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 -- multiprocessing has closed it
    sys.argv = ["profile-lookup", *arguments]
    main()
