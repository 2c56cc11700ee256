"""The list of joins has each join once, with the identifier that holds most together."""

from hypothesis import given, settings

from profile_lookup.console.joins.join_list import MOST_LISTED, joins_by_identifier
from profile_lookup.identity.history.explanation import Explanation
from tests.console.graph.people import explanation_of_only_person, named, office_of, random_explanations, store_of
from tests.identity.building import identifier
from tests.identity.examples import examples

ANN, BOB = "email:ann@example.com", "phone:+13175550001"


def test_joins_are_listed_with_the_identifier_that_holds_most_together() -> None:
    changes = [named("Ann", ANN), named("Bob", BOB), named("Annie", ANN, BOB), named("Rob", BOB, "email:rob")]
    groups = joins_by_identifier(explanation_of_only_person(store_of(changes)))
    assert [(group.identifier, group.holds_together) for group in groups] == [(identifier(BOB), 3)]
    assert [(join.number, join.name, len(join.by)) for join in groups[0].joins] == [(1, "Annie", 2), (2, "Rob", 1)]


@settings(max_examples=examples(100))
@given(random_explanations())
def test_each_join_is_listed_once(explanation: Explanation) -> None:
    groups = joins_by_identifier(explanation)
    listed = sorted(join.number for group in groups for join in group.joins)
    assert listed == list(range(1, len(explanation.joins) + 1))


def test_of_very_many_joins_the_latest_are_listed() -> None:
    (group,) = joins_by_identifier(explanation_of_only_person(store_of(office_of(MOST_LISTED + 6))))
    assert [join.number for join in group.joins] == list(range(6, MOST_LISTED + 6))
