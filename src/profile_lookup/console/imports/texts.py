"""The words for the kind of an import, and for what its owner should know."""

from typing import Any

from sqlalchemy import Row

from profile_lookup.imports.notices.notice import Notice
from profile_lookup.operations.kinds import OperationKind

NOT_STARTED = "Nobody started this import in time, so its file was deleted"


def kind_of(row: Row[Any]) -> str:
    return "Dry run" if row.kind == OperationKind.DRY_RUN_IMPORT else "Import"


def error_of(row: Row[Any]) -> str | None:
    """Return why the import failed; None if it did not."""
    return NOT_STARTED if row.error_detail and row.uploaded_at is None else row.error_detail


def notices_of(row: Row[Any]) -> list[str]:
    return [_sentence(Notice.of_document(each)) for each in row.notices or ()]


def _sentence(notice: Notice) -> str:
    rows = _rows(notice)
    if notice.kind == "evicted":
        return (
            f"In {rows}, a profile got more values of {notice.id_type} than the limit of this type lets it keep. "
            "The others were dropped."
        )
    if notice.kind == "unlikelyColumn":
        return (
            f"Most of the first cells of the column {notice.column} do not look like what it should hold: see {rows}."
        )
    if not notice.names:
        return f"One value of {notice.id_type} stood in {rows}. It is a placeholder, so it identified nobody."
    return (
        f"One value of {notice.id_type} stands for {notice.names:,} names: it stood in {rows}. If these are different "
        "people, they may be one profile now. Look at the suspects, or undo the import and block the value."
    )


def _rows(notice: Notice) -> str:
    lines = ", ".join(f"{line:,}" for line in notice.first_lines)
    return f"{notice.rows:,} rows (lines {lines}{', …' if notice.rows > len(notice.first_lines) else ''})"
