"""`python3 run.py fuzz [TARGET] --inputs N`: tries random inputs on one target or on all, beginning with the corpus."""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.fuzzing.corpus import read_corpus, write_corpus
from tests.fuzzing.targets import TARGETS

MAX_INPUT = 512  # bytes, twice as long as the longest value
MAX_SECONDS_OF_ONE_INPUT = 10


def main(arguments: Sequence[str]) -> int:
    """Return 0 if no target raised an exception."""
    parser = argparse.ArgumentParser(prog="run.py fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", choices=sorted(TARGETS), help="default: all of them, one after the other")
    parser.add_argument("--inputs", type=int, default=100_000, help="inputs per target; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="0 tries other inputs each time")
    parser.add_argument("--keep", action="store_true", help="add the inputs that reach further code to the corpus")
    options = parser.parse_args(arguments)
    targets = TARGETS if options.target is None else (options.target,)
    return max(fuzz(target, options.inputs, options.seed, keep=options.keep) for target in targets)


def fuzz(target: str, inputs: int, seed: int = 0, *, keep: bool = False) -> int:
    """Return libFuzzer's exit code: 0 if the target raised no exception."""
    print(f"{target}: {inputs} inputs", flush=True)  # noqa: T201 -- a command
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        _write_files(directory, read_corpus(target))
        code = _run(target, f"-runs={inputs}", f"-seed={seed}", directory)
        if code == 0 and keep:  # libFuzzer has replaced inputs by shorter ones that reach the same code
            write_corpus(target, [path.read_bytes() for path in directory.iterdir()])
    return code


def _write_files(directory: Path, inputs: Iterable[bytes]) -> None:
    for each in inputs:
        (directory / hashlib.sha256(each).hexdigest()).write_bytes(each)


def _run(target: str, *options: object) -> int:
    limits = (
        f"-max_len={MAX_INPUT}",
        f"-timeout={MAX_SECONDS_OF_ONE_INPUT}",
        f"-artifact_prefix={target}-",
        "-verbosity=1",
    )
    command = [sys.executable, "-m", "tests.fuzzing.engine", target, *limits, *options]
    return subprocess.run([str(each) for each in command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
