"""The graph of a person has the records that identifiers link, and knows when each link was made."""

from hypothesis import given, settings

from profile_lookup.console.graph.join_graph import JoinGraph
from profile_lookup.console.graph.texts import record_name
from tests.console.graph.people import graph_of, named, office_of, random_graphs, store_of
from tests.identity.building import identifier
from tests.identity.examples import examples

OFFICE = identifier("email:office@acme.example")
ANN, BOB = "email:ann@example.com", "phone:+13175550001"


def test_a_shared_address_links_all_records_and_holds_them_together() -> None:
    graph = graph_of(store_of(office_of(12)))
    assert len(graph.records) == len(graph.edges) == 12
    assert graph.identifiers == [OFFICE]
    assert graph.bridges == {OFFICE: 12}
    assert [edge.is_bringer for edge in graph.edges] == [True] + [False] * 11


def test_a_record_is_there_since_the_join_that_linked_it() -> None:
    changes = [named("Ann", ANN), named("Bob", BOB), named("Ann B.", ANN, BOB), named("Bobby", BOB, "email:b")]
    graph = graph_of(store_of(changes))
    since = {record_name(record): record.since for record in graph.records.values()}
    assert since == {"Ann": 1, "Bob": 1, "Ann B.": 1, "Bobby": 2}
    assert [event.kind for event in graph.joins] == ["merged", "updated"]


def test_somebody_whom_nothing_joined_has_an_empty_graph() -> None:
    graph = graph_of(store_of([named("Ann", ANN, BOB)]))
    assert (graph.records, graph.edges, graph.joins) == ({}, [], ())


@settings(max_examples=examples(100))
@given(random_graphs())
def test_each_identifier_links_at_least_two_records_and_each_edge_has_its_record(graph: JoinGraph) -> None:
    for each in graph.identifiers:
        assert len({edge.record for edge in graph.edges if edge.identifier == each}) > 1
    assert {edge.record for edge in graph.edges} == graph.records.keys()
    assert len({(edge.identifier, edge.record) for edge in graph.edges}) == len(graph.edges)
    assert {edge.since for edge in graph.edges} <= set(range(len(graph.joins) + 1))


@settings(max_examples=examples(100))
@given(random_graphs())
def test_each_bridge_and_the_identifiers_of_each_merge_are_in_the_graph(graph: JoinGraph) -> None:
    assert graph.bridges.keys() <= set(graph.identifiers)
    merges = [join for join in graph.joins if join.kind == "merged"]
    joined_by = {match.identifier for merge in merges for match in merge.matched if match.identifier.value}
    assert joined_by <= set(graph.identifiers)
