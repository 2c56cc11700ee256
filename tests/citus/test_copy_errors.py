"""Errors of COPY, as nodes of Citus pass them on. These tests need no Citus; `tests/database/test_archives.py` runs on it."""

import asyncpg
import pytest

from profile_lookup.database.citus.copy_errors import last_with_key, unique_violation

COLUMNS = ("store_id", "number", "value", "shared_by")
ROWS = [("s", 1, "a, (b)", b"\x01"), ("s", 2, "c", b""), ("s", 1, "d", b"\x01")]


def _failed(message: str) -> asyncpg.InternalServerError:
    error = asyncpg.InternalServerError(message)
    error.message, error.detail = message, "Key (store_id, number)=(s, 1) already exists."
    return error


def test_a_row_that_a_node_refuses_is_a_violation_of_the_constraint_of_the_table() -> None:
    violation = unique_violation(_failed('duplicate key value violates unique constraint "separation_pkey_102044"'))
    assert violation is not None
    assert (violation.constraint_name, violation.detail) == (
        "separation_pkey",
        "Key (store_id, number)=(s, 1) already exists.",
    )


def test_another_error_of_a_node_is_no_violation() -> None:
    assert unique_violation(_failed("could not extend file")) is None


@pytest.mark.parametrize(
    ("detail", "place"),
    [
        ("Key (store_id, number)=(s, 1) already exists.", 2),
        ("Schlüssel (value)=(a, (b)) existiert bereits.", 0),
        ("Key (number, shared_by)=(2, \\x) already exists.", 1),
        ("Key (number)=(3) already exists.", None),
        ("", None),
    ],
)
def test_the_refused_row_is_the_last_one_with_its_key(detail: str, place: int | None) -> None:
    assert last_with_key(detail, COLUMNS, ROWS) == place
