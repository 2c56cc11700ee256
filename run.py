#!/usr/bin/env python3
"""From a bare Python 3.11 to a running service, with the standard library alone.

    python3 run.py                 serve, with a demo store (what `profile-lookup serve --demo` does)
    python3 run.py test [ARGS…]    run the tests (ARGS go to pytest)
    python3 run.py check           run every check that is not a test
    python3 run.py bench [ARGS…]   measure it against others (benchmarks/README.md)
    python3 run.py lock            bring the lock files in step with pyproject.toml
    python3 run.py ANYTHING…       profile-lookup ANYTHING…

What is needed goes into .venv, from lock files with hashes; again only when these change.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
RUNTIME, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"


def main(arguments: list[str]) -> None:
    if sys.version_info < (3, 11):
        sys.exit("run.py: Python 3.11 or newer is needed")
    match arguments:
        case ["test", *rest]:
            install(DEVELOPMENT)
            become("-m", "pytest", *rest)
        case ["bench", *rest]:
            install(DEVELOPMENT)
            become("-m", "benchmarks", *rest)
        case ["check" | "lock" as task]:
            install(DEVELOPMENT)
            become("tools/checks.py", task)
        case []:
            install(RUNTIME)
            become("-m", "profile_lookup", "serve", "--demo")
        case _:
            install(RUNTIME)
            become("-m", "profile_lookup", *arguments)


def install(lock: str) -> None:
    """Make .venv hold what the lock says, and this project; at most one process at a time does so."""
    try:
        with (HERE / ".venv.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            _install(lock)
    except OSError as error:
        sys.exit(f"run.py: cannot write {error.filename} ({error.strerror}): use a checkout that is yours")


def _install(lock: str) -> None:
    mark = VENV / f"installed-{lock}"
    if _content(mark) == _fingerprint(lock):
        return
    if importlib.util.find_spec("pip") is None:
        sys.exit("run.py: pip is needed (on Debian: apt-get install python3-pip)")
    print("run.py: installing into .venv, this once …", file=sys.stderr, flush=True)
    if _content(VENV / "made-with") != _made_with():
        # Without pip: Debian's bare python3 has no ensurepip. The pip that runs this installs into it from outside.
        venv.create(VENV, with_pip=False, clear=True)
        (VENV / "made-with").write_text(_made_with())
    _pip("--require-hashes", "--requirement", lock)
    _pip("--no-deps", "--no-build-isolation", "--editable", ".")
    mark.write_text(_fingerprint(lock))


def _pip(*arguments: str) -> None:
    """Ctrl-C and SIGTERM end it and its children before they end this: nothing goes on installing without the lock."""
    command = [
        sys.executable, "-m", "pip", "--python", str(PYTHON), "install",
        "--quiet", "--disable-pip-version-check", "--no-input", *arguments,
    ]  # fmt: skip
    pip: subprocess.Popen[bytes] | None = None
    signals: list[int] = []

    def end(number: int, _frame: object) -> None:
        signals.append(number)
        end_pip()

    def end_pip() -> None:
        if pip is not None:
            with contextlib.suppress(OSError):  # it has just ended by itself
                os.killpg(pip.pid, signal.SIGTERM)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    # What pip does not come to remove is removed with the directory.
    with tempfile.TemporaryDirectory(prefix="profile-lookup-", ignore_cleanup_errors=True) as scratch:
        pip = subprocess.Popen(command, cwd=HERE, env=os.environ | {"TMPDIR": scratch}, process_group=0)
        if signals:  # while it was being started
            end_pip()
        failed = pip.wait() != 0
    for number, handler in before.items():
        signal.signal(number, handler)
    if signals:
        (VENV / "made-with").unlink()  # it was left half-way: the next time it is made anew
        sys.exit(128 + signals[0])
    if failed:
        sys.exit("run.py: the installation failed; the reason is above")


def _fingerprint(lock: str) -> str:
    content = hashlib.sha256((HERE / lock).read_bytes() + (HERE / "pyproject.toml").read_bytes())
    return f"{content.hexdigest()} {_made_with()}"


def _made_with() -> str:
    return f"{sys.version} {VENV}"


def _content(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def become(*arguments: str) -> None:
    """Go on as the command, so that signals and the exit code are the command's own."""
    os.chdir(HERE)
    os.execv(PYTHON, [str(PYTHON), *arguments])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
