"""Names of identifier types are restricted, and values stay out of logs."""

import pytest

from profile_lookup.identity.identifier import Identifier, is_id_type
from tests.identity.building import identifier


@pytest.mark.parametrize("text", ["ab", "A1", "--", "__", "customer-id_2", "a" * 30])
def test_an_id_type_is_2_to_30_letters_digits_hyphens_and_underscores(text: str) -> None:
    assert is_id_type(text)


@pytest.mark.parametrize(
    "text", ["", "a", "a" * 31, "a b", "a.b", "a:b", "ab\n", "\nab", "é1", "ａｂ", "٣٣", "a\0", "ab\ud800"]
)
def test_any_other_text_is_not_an_id_type(text: str) -> None:
    assert not is_id_type(text)


def test_the_repr_of_an_identifier_leaves_its_value_out() -> None:
    assert "ada@example.com" not in repr(Identifier("email", "ada@example.com"))


def test_the_repr_of_a_normalized_identifier_leaves_its_value_out() -> None:
    assert "ada@example.com" not in repr(identifier("email:ada@example.com"))
