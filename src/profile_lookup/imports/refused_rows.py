"""What is told of rows that were refused: where they are and why, never what stands there."""

import csv
import io
from collections.abc import Iterable, Sequence

HEADER = ("line", "column", "reason")
MAX_TOLD = 100_000
"""Of an import; the others are only counted. A file of rows of two bytes would else give gigabytes of reasons."""


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
