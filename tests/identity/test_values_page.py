"""Each row of docs/values.md is true, and the page shows all of the built-in blocked values."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.built_in_blocked_values import BUILT_IN_BLOCKED_VALUES, PLACEHOLDERS
from profile_lookup.identity.values.normalization import Normalization, normalize

PAGE = (Path(__file__).parents[2] / "docs" / "values.md").read_text(encoding="utf-8")
KINDS: tuple[Normalization, ...] = get_args(Normalization)
GROUPS = [
    "Written by spreadsheets",
    "Written by messaging gateways",
    "Written by people",
    "Written by other systems",
    "In other scripts",
]


class Row(NamedTuple):
    kind: Normalization
    value: str
    becomes: str


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def table(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def shown(cell: str) -> str:
    """Return the text that a cell shows as code, its escapes decoded."""
    if cell == "(nothing)":
        return ""
    assert cell[0] == cell[-1] == "`"
    return re.sub(
        r"\\(?:u[0-9a-f]{4}|U[0-9a-f]{8}|t|n)", lambda escape: escape[0].encode().decode("unicode-escape"), cell[1:-1]
    )


def rows(title: str) -> list[Row]:
    return [Row(kind, shown(value), becomes) for kind, value, becomes, _ in table(section(title)) if kind in KINDS]


REFUSALS = {name: message for name, message in table(section("Refusals")) if name != "refused"}


@pytest.mark.parametrize("row", [row for title in GROUPS for row in rows(title)], ids=lambda row: ascii(row[:2]))
def test_a_row_of_the_page_is_true(row: Row) -> None:
    if row.becomes.startswith("refused: "):
        with pytest.raises(ValueRefused) as refused:
            normalize(row.kind, row.value)
        assert refused.value.reason == REFUSALS[row.becomes.removeprefix("refused: ")]
    else:
        assert normalize(row.kind, row.value) == shown(row.becomes)


@pytest.mark.parametrize("title", GROUPS)
def test_each_group_of_the_page_has_many_rows_and_none_twice(title: str) -> None:
    assert len(rows(title)) >= 25
    assert len(set(rows(title))) == len(rows(title))


def test_the_page_has_at_least_120_rows_of_every_kind() -> None:
    all_rows = [row for title in GROUPS for row in rows(title)]
    assert len(all_rows) >= 120
    assert {row.kind for row in all_rows} == set(KINDS)


def test_the_page_lists_the_placeholders() -> None:
    listed = re.search(r"one of these words: ([^.]*)\.", section("Values that identify nobody"))
    assert listed
    assert set(re.findall("`(.*?)`", listed[1])) == PLACEHOLDERS


def test_the_page_lists_the_built_in_values_with_their_reasons() -> None:
    listed = [cells for cells in table(section("Values that identify nobody")) if cells[0] in KINDS]
    assert listed == [
        [each.normalization, f"`{each.value or f'{each.local_part}@…'}`", each.reason]
        for each in BUILT_IN_BLOCKED_VALUES
    ]
