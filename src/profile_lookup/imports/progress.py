"""How far an import is, by its row."""

from typing import Any

from sqlalchemy import Row

from profile_lookup.operations.kinds import OperationKind


def rows_done(row: Row[Any]) -> int:
    """Return how many rows of an import were applied or refused."""
    return applied_rows(row) + int(row.refused)


def applied_rows(row: Row[Any]) -> int:
    """Return the number of rows by which a profile was created, updated or merged."""
    applied: int = row.created + row.updated + row.merged
    return applied


def cancelled_after(row: Row[Any]) -> str:
    """Return the words for how far a cancelled import, or dry run, was."""
    what = "dry run" if row.kind == OperationKind.DRY_RUN_IMPORT else "import"
    of_total = "" if row.rows_total is None else f" of {row.rows_total:,}"
    return f"The {what} is cancelled after {rows_done(row):,}{of_total} rows"


def wrote_nothing(row: Row[Any]) -> bool:
    """Return whether the import was a dry run, or ended before its first row was applied."""
    return applied_rows(row) == 0 or row.kind == OperationKind.DRY_RUN_IMPORT
