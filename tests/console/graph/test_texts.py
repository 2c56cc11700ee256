"""Texts of a drawing are short enough for their boxes, whatever they hold."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.console.graph.join_graph import Record
from profile_lookup.console.graph.texts import origin_of, record_name, shortened, shortened_at_end, width_of
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event, RecordedRequest
from profile_lookup.identity.profile import TraitValue
from tests.identity.building import contact

TEXTS = st.text(max_size=255) | st.sampled_from(["W" * 255, "名" * 100, "\u202etxet"])


@given(TEXTS, st.integers(40, 300))
def test_a_shortened_text_fits_and_begins_and_ends_like_the_whole(text: str, most: int) -> None:
    short = shortened(text, most)
    assert width_of(short) <= most
    beginning, _, end = short.partition("…")
    assert short == text or (text.startswith(beginning) and text.endswith(end))


@given(TEXTS, st.integers(40, 300))
def test_a_text_that_is_shortened_at_its_end_fits_and_begins_like_the_whole(text: str, most: int) -> None:
    short = shortened_at_end(text, most)
    assert width_of(short) <= most
    assert short == text or text.startswith(short.removesuffix("…"))


def record(**traits: TraitValue | None) -> Record:
    request = RecordedRequest(traits={contact(name): value for name, value in traits.items()})
    actor = Actor("import", "mem_import_1", 17)
    event = Event(UUID(int=1), "created", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), UUID(int=1), request, actor=actor)
    return Record(UUID(int=1), event, 0)


@pytest.mark.parametrize(
    ("traits", "name"),
    [
        ({"firstName": "Ann", "lastName": "Abel"}, "Ann Abel"),
        ({"lastName": "Abel", "firstName": None}, "Abel"),
        ({"city": "Bern"}, "…00000001"),
        ({"firstName": 7}, "…00000001"),
    ],
)
def test_a_record_is_called_by_the_name_that_it_was_written_with(traits: dict[str, TraitValue], name: str) -> None:
    assert record_name(record(**traits)) == name


def test_a_record_says_when_and_by_whom_it_was_written() -> None:
    assert origin_of(record()) == "2 Jan 2026, 03:04:05 UTC by import mem_import_1, line 17"
    assert origin_of(Record(UUID(int=1), None, 0)) == "no time is recorded"
