"""Reads the rows of a form whose fields repeat in each row."""

import re
from collections.abc import Sequence

from profile_lookup.console.forms import Form
from profile_lookup.errors import RequestRefused

Row = dict[str, str]
"""The texts of one row by the names of its fields."""

_INTEGER = re.compile("[+-]?[0-9]{1,17}")
_NUMBER = re.compile(r"[+-]?[0-9]+\.[0-9]+")


def rows_of(form: Form, names: Sequence[str]) -> list[Row]:
    """Return the rows whose first field is not blank, as they were typed.

    Raises `RequestRefused` if a row lacks a field.
    """
    columns = [form.texts(name) for name in names]
    if len(set(map(len, columns))) > 1:
        raise RequestRefused("form: expected all fields of each row")
    rows = [dict(zip(names, texts, strict=True)) for texts in zip(*columns, strict=True)]
    return [row for row in rows if row[names[0]].strip()]


def number(text: str) -> int | float | str:
    """Return the number that a text is; another text stays one, so that its field is refused."""
    text = text.strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def filled(**texts: object) -> dict[str, object]:
    """Return the members that are not blank."""
    return {name: value for name, value in texts.items() if value != ""}
