"""What is told of rows that were refused: where they are and why, never what stands there."""

import csv
import io
from collections.abc import Iterable, Sequence

HEADER = ("line", "column", "reason")


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
