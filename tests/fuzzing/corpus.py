"""The corpus: inputs that together reach all the code that fuzzing has reached, one file of base64 lines per target."""

import base64
from collections.abc import Iterable
from pathlib import Path

_DIRECTORY = Path(__file__).parent / "corpus"


def read_corpus(target: str) -> list[bytes]:
    return [base64.b64decode(line) for line in _path(target).read_text().splitlines()]


def write_corpus(target: str, inputs: Iterable[bytes]) -> None:
    lines = sorted((base64.b64encode(each).decode() for each in set(inputs)), key=lambda line: (len(line), line))
    _path(target).write_text("".join(f"{line}\n" for line in lines))


def _path(target: str) -> Path:
    return _DIRECTORY / f"{target}.txt"
