"""The document of a profile's traits holds each value and its time exactly."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.database.documents import parsed_traits, serialized_traits
from profile_lookup.identity.profile import Trait, TraitName

TIMES = st.datetimes(timezones=st.just(UTC))
VALUES = st.one_of(st.text(), st.integers(), st.booleans(), st.lists(st.text() | st.integers() | st.booleans()))
TRAITS = st.dictionaries(st.builds(TraitName, st.text(), st.text()), st.builds(Trait, VALUES, TIMES))


@given(traits=TRAITS, created_at=TIMES)
def test_traits_are_parsed_as_they_were_serialized(traits: dict[TraitName, Trait], created_at: datetime) -> None:
    for default in (created_at, None):
        assert parsed_traits(serialized_traits(traits, default), created_at) == traits


def test_a_trait_of_the_profiles_creation_has_no_time_of_its_own() -> None:
    created_at, later = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, 0, 0, 0, 1, tzinfo=UTC)
    traits = {
        TraitName("Contact", "city"): Trait(["Gary"], created_at),
        TraitName("Contact", "state"): Trait("IN", later),
    }
    document = {"Contact": {"city": [["Gary"]], "state": ["IN", 1_767_312_000_000_001]}}
    assert serialized_traits(traits, created_at) == document
