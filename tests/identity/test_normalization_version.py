"""A normalization version is comparable and can be serialized."""

import hashlib
import json
import unicodedata
from itertools import pairwise

import idna
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.identity.values.normalization_version import (
    CURRENT,
    RULES_REVISION,
    UNVERSIONED,
    NormalizationVersion,
)
from profile_lookup.identity.values.renumbering import RENUMBERINGS

OLDEST_FIRST = [
    NormalizationVersion(1, "9.0.43", "3.20", "14.0.0"),
    NormalizationVersion(2, "8.13.30", "3.20", "14.0.0"),
    NormalizationVersion(2, "9.0.9", "3.20", "14.0.0"),
    NormalizationVersion(2, "9.0.43", "3.9", "16.0.0"),
    NormalizationVersion(2, "9.0.43", "3.20", "9.0.0"),
    NormalizationVersion(2, "9.0.43", "3.20", "14.0.0"),
    NormalizationVersion(2, "9.0.43", "3.20.1", "14.0.0"),
]

releases = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda numbers: ".".join(map(str, numbers)))
versions = st.builds(NormalizationVersion, st.integers(1, 3), releases, releases, releases)


def test_the_current_version_names_all_that_an_answer_depends_on() -> None:
    assert (CURRENT.rules, CURRENT.phonenumbers) == (RULES_REVISION, phonenumbers.__version__)
    assert (CURRENT.idna, CURRENT.unicode) == (idna.__version__, unicodedata.unidata_version)


def test_the_current_version_is_newer_than_that_of_a_store_without_one() -> None:
    assert CURRENT.is_newer_than(UNVERSIONED)
    assert not UNVERSIONED.is_newer_than(CURRENT)
    assert not CURRENT.is_newer_than(CURRENT)


@pytest.mark.parametrize(
    ("older", "newer"),
    list(pairwise(OLDEST_FIRST)),
)
def test_releases_are_compared_as_numbers_and_the_earlier_field_decides(
    older: NormalizationVersion, newer: NormalizationVersion
) -> None:
    assert newer.is_newer_than(older)
    assert not older.is_newer_than(newer)


def test_a_release_may_leave_trailing_zeros_out() -> None:
    short, long = (NormalizationVersion(2, release, "3.20", "14.0") for release in ("9.1", "9.1.0"))
    assert not short.is_newer_than(long)
    assert not long.is_newer_than(short)


@given(versions, versions, versions)
def test_versions_have_a_total_order(
    one: NormalizationVersion, two: NormalizationVersion, three: NormalizationVersion
) -> None:
    assert not (one.is_newer_than(two) and two.is_newer_than(one))
    if one.is_newer_than(two) and two.is_newer_than(three):
        assert one.is_newer_than(three)


@given(versions)
def test_a_version_survives_serialization(version: NormalizationVersion) -> None:
    assert NormalizationVersion.from_document(json.loads(json.dumps(version.to_document()))) == version


def test_the_document_is_small_and_readable() -> None:
    assert NormalizationVersion(2, "9.0.43", "3.20", "14.0.0").to_document() == {
        "rules": 2, "phonenumbers": "9.0.43", "idna": "3.20", "unicode": "14.0.0",
    }  # fmt: skip


REVISION_OF_RENUMBERINGS = {2: "85e77694b55cbb94"}


def test_a_change_of_the_renumbering_table_raises_the_revision() -> None:
    """Add the new revision with the digest that this test prints when the table has changed."""
    table = [(each.country_code, each.former_length, each.changes) for each in RENUMBERINGS]
    digest = hashlib.sha256(repr(table).encode()).hexdigest()[:16]
    assert REVISION_OF_RENUMBERINGS[RULES_REVISION] == digest
