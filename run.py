#!/usr/bin/env python3
"""Install and run the service from a bare Python, with the standard library alone.

    python3 run.py                 serve, with a demo store (what `profile-lookup serve --demo` does)
    python3 run.py ANYTHING…       run `profile-lookup ANYTHING…`, in the caller's directory

    python3 run.py test [ARGS…]    run the tests; pytest gets ARGS, paths in them start at the checkout
    python3 run.py check           run every check that is not a test
    python3 run.py bench [ARGS…]   compare its speed with others' (benchmarks/README.md)
    python3 run.py fuzz [TARGET]   try random inputs on what reads text from outside (CONTRIBUTING.md)
    python3 run.py lock            bring the lock files in step with pyproject.toml
    python3 run.py phones          write down how the locked release of phonenumbers reads numbers (CONTRIBUTING.md)

It installs the packages of the lock files, whose hashes it checks, into .venv, and does so again only after a change.
Before it serves or measures, it says which Python it uses, and how to use a faster one that is installed.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
VERSIONS = ("3.14", "3.13", "3.12", "3.11")
USUAL_PLACES = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
RUNTIME, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"
DOWNLOADS = {RUNTIME: 40, DEVELOPMENT: 190}
"""MB of the packages of each lock file, for whoever waits."""


def main(arguments: list[str]) -> None:
    if not (3, 11) <= sys.version_info < (3, 15):
        sys.exit(f"run.py: Python 3.11, 3.12, 3.13 or 3.14 is needed; this is {sys.version.partition(' ')[0]}")
    match arguments:
        case ["test", *rest]:
            run_in_checkout("-m", "pytest", *rest)
        case ["bench", *rest]:
            say_which_python()
            run_in_checkout("-m", "benchmarks", *rest)
        case ["fuzz", *rest]:
            run_in_checkout("-m", "tests.fuzzing", *rest)
        case ["check" | "lock" as task]:
            run_in_checkout("tools/checks.py", task)
        case ["phones"]:
            run_in_checkout("-m", "tests.releases.answers", "write")
        case [] | ["serve", *_]:
            say_which_python()
            run_command(*arguments or ("serve", "--demo"))
        case _:
            run_command(*arguments)


def run_in_checkout(*arguments: str) -> NoReturn:
    install(DEVELOPMENT)
    os.chdir(HERE)
    become(*arguments)


def run_command(*arguments: str) -> NoReturn:
    """Run `profile-lookup` where the caller is, so that paths in its arguments mean what the caller means by them."""
    install(RUNTIME)
    become("-P", "-m", "profile_lookup", *arguments)  # -P: no module is loaded from the caller's directory


def say_which_python() -> None:
    """Print the version of this Python and how it was built and, if another one would be faster, how to use that."""
    line = f"Python {python_build()}"
    if not is_optimized():
        faster = optimized_python()
        line += ", which costs a fifth of the speed"
        line += "" if faster is None else f"; faster: {faster} {Path(sys.argv[0])}"
    _say(line)


def python_build() -> str:
    """Return the version of this Python, and whether it was built with optimizations."""
    return f"{sys.version.partition(' ')[0]}, built {'with' if is_optimized() else 'without'} optimizations"


def is_optimized() -> bool:
    """Return whether this Python was built by the profile of a run (PGO), as that of most distributions is.

    Debian builds its own so by other means, which do not show in the arguments of `configure`.
    """
    is_of_system = sys.base_prefix == "/usr"
    return is_of_system or "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")


def optimized_python() -> str | None:
    """Return the path of the newest Python that suits and was built with optimizations; None if there is none."""
    places = (*os.environ.get("PATH", os.defpath).split(os.pathsep), *USUAL_PLACES)
    found = (shutil.which(f"python{version}", path=place) for version in VERSIONS for place in dict.fromkeys(places))
    return next((each for each in found if each is not None and _suits(each)), None)


def _suits(python: str) -> bool:
    """Return whether a Python has pip and was built with optimizations, by its own account."""
    question = "import run, importlib.util, sys; sys.exit(not (run.is_optimized() and importlib.util.find_spec('pip')))"
    try:
        asked = subprocess.run(
            [python, "-B", "-c", question], cwd=HERE, capture_output=True, check=False, timeout=10
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def install(lock: str) -> None:
    """Install the packages of the lock file and this project into .venv; only one process at a time does so."""
    try:
        with (HERE / ".venv.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _install(lock)
    except OSError as error:
        sys.exit(f"run.py: cannot write {error.filename} ({error.strerror}): use a checkout that is yours")


def _install(lock: str) -> None:
    mark = VENV / f"installed-{lock}"
    if _content(mark) == _fingerprint(lock):
        return
    if importlib.util.find_spec("pip") is None:
        sys.exit("run.py: pip is needed (on Debian: apt-get install python3-pip)")
    _say("installing into .venv, this once, in three steps")
    _say("1 of 3: making the environment …")
    if _content(VENV / "made-with") != _made_with():
        # Without pip, since Debian's bare python3 has no ensurepip. This Python's pip installs into it from outside.
        venv.create(VENV, with_pip=False, clear=True)
        (VENV / "made-with").write_text(_made_with())
    packages = sum("==" in line for line in (HERE / lock).read_text().splitlines())
    _say(f"2 of 3: installing {packages} packages, {DOWNLOADS[lock]} MB to download …")
    _pip("--require-hashes", "--requirement", lock)
    _say("3 of 3: installing profile-lookup itself …")
    _pip("--no-deps", "--no-build-isolation", "--editable", ".")
    mark.write_text(_fingerprint(lock))
    _say("installed")


def _say(line: str) -> None:
    print(f"run.py: {line}", file=sys.stderr, flush=True)


def _pip(*arguments: str) -> None:
    """Run pip. Ctrl-C and SIGTERM end pip and its children first, so that none of them installs without the lock."""
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
            with contextlib.suppress(OSError):  # pip has just ended by itself
                os.killpg(pip.pid, signal.SIGTERM)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    # A pip that is ended leaves files behind; they are removed with the directory.
    with tempfile.TemporaryDirectory(prefix="profile-lookup-", ignore_cleanup_errors=True) as scratch:
        pip = subprocess.Popen(command, cwd=HERE, env=os.environ | {"TMPDIR": scratch}, process_group=0)
        if signals:  # one came while pip was being started
            end_pip()
        failed = pip.wait() != 0
    for number, handler in before.items():
        signal.signal(number, handler)
    if signals:
        (VENV / "made-with").unlink()  # .venv is incomplete: without this file, the next run makes it anew
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


def become(*arguments: str) -> NoReturn:
    """Replace this process by Python with these arguments, so that signals and the exit code are the command's own."""
    os.execv(PYTHON, [str(PYTHON), *arguments])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
