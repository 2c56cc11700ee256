"""A replay of many changes in memory gives what the same changes give one by one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import combinations, count
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profile_lookup.errors import IdentifierConflict
from profile_lookup.identity.change import Change
from profile_lookup.identity.difference import Difference
from profile_lookup.identity.merging import combined
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.profile_replay import ProfileReplay, Written
from profile_lookup.identity.resolution import Create, profiles_of, resolve
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import CONTACT
from tests.identity.building import adding, at, contact, holder, identifier
from tests.identity.examples import examples

SETTINGS = IdentityResolutionSettings(
    (
        IdentifierConfig("email"),
        IdentifierConfig("phone", limit=1),
        IdentifierConfig("cookie", enforce_unique=False),
        IdentifierConfig("device", enforce_unique=False, limit=2, limit_policy="lifo"),
        IdentifierConfig("visit", enforce_unique=False),
        IdentifierConfig("passport"),
        IdentifierConfig("tag", enforce_unique=False),
    ),
    ("email", "phone", "cookie", "device", "visit"),
)
IDENTIFIERS = [identifier(f"{each.id_type}:{value}") for each in SETTINGS.identifier_configs for value in "abcd"]
CHANGES = st.builds(
    Change,
    st.lists(st.sampled_from(IDENTIFIERS), min_size=1, max_size=4, unique=True).map(tuple),
    st.dictionaries(st.sampled_from([contact("city"), contact("state")]), st.sampled_from("xyz") | st.none()),
)


def people(*stored: Profile) -> ProfileReplay:
    numbers = count(100)
    return ProfileReplay(SETTINGS, stored, lambda: UUID(int=next(numbers)))


class OneByOne:
    """Each change is resolved among all profiles."""

    def __init__(self) -> None:
        self.profiles: dict[UUID, Profile] = {}
        self.aliases: dict[UUID, UUID] = {}

    def apply(self, change: Change, requested_at: datetime, new_id: UUID | None) -> UUID:
        resolution = resolve(SETTINGS, change.incoming, self.profiles.values())
        before = profiles_of(resolution)
        identifiers, traits = combined(SETTINGS, before, change, requested_at)
        for each in before[1:]:
            del self.profiles[each.id]
            self.aliases = {alias: before[0].id if of == each.id else of for alias, of in self.aliases.items()}
            self.aliases[each.id] = before[0].id
        canonical_id = new_id if isinstance(resolution, Create) else before[0].id
        assert canonical_id is not None
        self.profiles[canonical_id] = Profile(canonical_id, identifiers, traits)
        return canonical_id


def written(stored: dict[UUID, Profile], difference: Difference) -> dict[UUID, Profile]:
    """Return the stored profiles once the difference is written."""
    after = {each.id: Profile(each.id, dict(each.identifiers), dict(each.traits)) for each in stored.values()}
    after |= {profile_id: Profile(profile_id, {}, {}) for profile_id in difference.created}
    identifiers: dict[UUID, dict[object, datetime]] = {each.id: each.identifiers for each in after.values()}  # type: ignore[misc]
    for profile_id, deleted in difference.deleted_identifiers:
        del identifiers[profile_id][deleted]
    for profile_id in difference.aliases.keys() & after.keys():
        assert not identifiers[profile_id]
        del after[profile_id]
    for profile_id, each, added_at in difference.upserted_identifiers:
        identifiers[profile_id][each] = added_at
    return {each.id: replace(each, traits=difference.traits.get(each.id, each.traits)) for each in after.values()}


@settings(max_examples=examples(300))
@given(st.lists(st.lists(CHANGES, min_size=1, max_size=8), min_size=1, max_size=4))
def test_a_replay_gives_what_the_changes_give_one_by_one(chunks: Sequence[Sequence[Change]]) -> None:
    one_by_one = OneByOne()
    stored: dict[UUID, Profile] = {}
    aliases: dict[UUID, UUID] = {}
    numbers, seconds = count(1), count()
    for chunk in chunks:
        together = ProfileReplay(SETTINGS, stored.values(), lambda: UUID(int=next(numbers)))
        for change in chunk:
            requested_at = at(next(seconds))
            try:
                answer = together.apply(change, requested_at)
            except IdentifierConflict:
                with pytest.raises(IdentifierConflict):
                    one_by_one.apply(change, requested_at, None)
            else:
                new_id = answer.profile_id if answer.how == "created" else None
                assert one_by_one.apply(change, requested_at, new_id) == answer.profile_id
        difference = together.difference()
        stored = written(stored, difference)
        aliases = {alias: difference.aliases.get(of, of) for alias, of in aliases.items()} | dict(difference.aliases)
        assert stored == one_by_one.profiles
        assert aliases == one_by_one.aliases


def test_a_profile_created_and_merged_in_one_replay_is_an_alias_but_never_stored() -> None:
    together = people(holder(1, "email:a"))
    made = together.apply(adding("phone:a"), at(1))
    merged = together.apply(adding("email:a", "phone:a"), at(2))
    difference = together.difference()
    assert (made.how, merged.how, merged.profile_id) == ("created", "merged", UUID(int=1))
    assert difference.created == {}
    assert difference.aliases == {made.profile_id: UUID(int=1)}
    assert list(difference.upserted_identifiers) == [(UUID(int=1), identifier("phone:a"), at(1))]


def test_an_alias_names_the_last_canonical_profile() -> None:
    together = people(holder(1, "email:a"), holder(2, "email:b"), holder(3, "email:c"))
    together.apply(adding("email:b", "email:c"), at(1))
    together.apply(adding("email:a", "email:b"), at(2))
    difference = together.difference()
    assert difference.aliases == {UUID(int=2): UUID(int=1), UUID(int=3): UUID(int=1)}
    assert [(each.profile_id, each.rule) for each in difference.events] == [
        (UUID(int=2), "email"), (UUID(int=1), "email"),
    ]  # fmt: skip


def test_a_conflict_changes_nothing() -> None:
    together = people(holder(1, "passport:a"))
    with pytest.raises(IdentifierConflict):
        together.apply(adding("email:a", "passport:a"), at(1))
    assert together.difference() == people().difference()


def test_a_change_returns_what_it_evicted() -> None:
    together = people(holder(1, "email:a", "phone:a"))
    assert together.apply(adding("email:a", "phone:b"), at(1)).evicted == (identifier("phone:a"),)
    assert together.apply(adding("email:a"), at(2)).evicted == ()


def test_a_placeholder_evicts_nobody_at_a_limit_of_one() -> None:
    together = people(holder(1, "email:a", "phone:+13175551234"))
    sent = {contact("email"): "a", contact("phone"): "n/a"}
    change = Change.of_traits({CONTACT.name: CONTACT}, replace(SETTINGS, matching_rules=("email", "phone")), sent)
    assert (change.incoming, len(change.blocked)) == ((identifier("email:a"),), 1)
    assert together.apply(change, at(1)) == Written("updated", UUID(int=1))
    assert together.difference().deleted_identifiers == []


@pytest.mark.parametrize("pair", list(combinations(("cookie:a", "device:a", "visit:a"), 2)))
def test_a_profile_that_shares_two_values_is_found_among_many_that_share_one(pair: tuple[str, str]) -> None:
    many = [*["cookie:a"] * 3, *["device:a"] * 4, *["visit:a"] * 5]
    together = people(holder(50, *pair), *(holder(number, each) for number, each in enumerate(many, start=1)))
    assert together.apply(adding("cookie:a", "device:a", "visit:a"), at(1)) == Written("updated", UUID(int=50))


def test_a_value_that_thousands_share_is_resolved_quickly() -> None:
    """Looking at each of them for each change would take a minute."""
    together = people(*(holder(number, "cookie:a") for number in range(1, 20_000)))
    for number in range(1000):
        assert together.apply(adding(f"email:{number}", "cookie:a"), at(1)).how == "created"
