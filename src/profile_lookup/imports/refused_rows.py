"""The reports of refused rows and ignored cells: where they are and why they do not count, never what they hold."""

import csv
import io
from collections.abc import Iterable, Sequence

HEADER = ("line", "column", "reason")
MAX_REPORTED = 100_000
"""Refused rows, and ignored cells, reported per import; the rest are only counted. Otherwise a file whose rows have two
bytes would give gigabytes of reasons."""


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
