"""A drawing has every record that fits, says how many it leaves out, and nothing in it overlaps."""

from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings

from profile_lookup.console.graph.drawing import drawing_of
from profile_lookup.console.graph.join_graph import JoinGraph
from profile_lookup.console.graph.shapes import Box, Drawing
from profile_lookup.console.graph.units import MOST_ALIKE, MOST_DOTS, MOST_UNITS
from profile_lookup.identity.change import Change
from tests.console.graph.people import graph_of, named, office_of, random_graphs, store_of
from tests.identity.examples import examples


def boxes_of(drawing: Drawing) -> list[Box]:
    return [each.box for shapes in (drawing.cards, drawing.bundles, drawing.pills) for each in shapes]


def records_in(drawing: Drawing) -> list[object]:
    dots = [dot.record.id for bundle in drawing.bundles for dot in bundle.dots]
    return [*(card.record.id for card in drawing.cards), *dots]


def overlap(one: Box, other: Box) -> bool:
    apart = (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )
    return not apart


def touches(box: Box, place: str) -> bool:
    """Return whether a place is on the border of a box, but for rounding."""
    x, y = map(int, place.split())
    return (
        box.x - 1 <= x <= box.x + box.width + 1
        and box.y - 1 <= y <= box.y + box.height + 1
        and not (box.x + 1 < x < box.x + box.width - 1 and box.y + 1 < y < box.y + box.height - 1)
    )


def tangle(requests: int) -> list[Change]:
    """Return requests that make one person, most of which have two identifiers that others have, too."""
    chance = Random(7)
    first = [named("Ann", "email:0", "phone:0")]
    return first + [
        named(
            f"Person {number}",
            f"email:{chance.randrange(1 + number // 6)}",
            f"phone:{chance.randrange(1 + number // 5)}",
        )
        for number in range(requests)
    ]


@settings(max_examples=examples(100))
@given(random_graphs())
def test_every_record_is_drawn_once(graph: JoinGraph) -> None:
    drawing = drawing_of(graph)
    assert sorted(map(str, records_in(drawing))) == sorted(map(str, graph.records))
    assert {pill.identifier for pill in drawing.pills} == set(graph.identifiers)
    assert (drawing.records, drawing.records_of_person) == (len(graph.records), len(graph.records))


@settings(max_examples=examples(100))
@given(random_graphs())
def test_boxes_do_not_overlap_and_each_line_leads_from_a_record_to_its_identifier(graph: JoinGraph) -> None:
    drawing = drawing_of(graph)
    boxes = boxes_of(drawing)
    assert not any(overlap(one, other) for one, other in combinations(boxes, 2))
    assert all(0 < box.x < box.x + box.width < drawing.width for box in boxes)
    assert all(0 < box.y < box.y + box.height < drawing.height for box in boxes)
    for line in drawing.lines:
        ends = line.path.split("M")[1].replace("L", "Q").split("Q")
        (pill,) = [pill.box for pill in drawing.pills if pill.identifier == line.identifier]
        touched = [[box for box in boxes if touches(box, end.strip())] for end in (ends[0], ends[-1])]
        assert any(pill in found for found in touched)
        assert all(touched)


def test_records_that_the_same_identifier_links_are_dots_of_one_group() -> None:
    drawing = drawing_of(graph_of(store_of(office_of(150))))
    assert [card.name for card in drawing.cards] == ["Person 0"]
    (bundle,) = drawing.bundles
    assert [dot.name for dot in bundle.dots] == [f"Person {number}" for number in range(1, 150)]
    assert all(dot.is_join for dot in bundle.dots)
    assert all(bundle.box.x < dot.x < bundle.box.x + bundle.box.width for dot in bundle.dots)
    assert all(bundle.box.y < dot.y < bundle.box.y + bundle.box.height for dot in bundle.dots)
    assert [(pill.text, pill.holds_together) for pill in drawing.pills] == [("office@acme.example", 150)]


def test_a_group_of_very_many_records_has_so_many_dots_and_says_how_many_records_it_has() -> None:
    drawing = drawing_of(graph_of(store_of(office_of(MOST_DOTS + 11))))
    (bundle,) = drawing.bundles
    assert (len(bundle.dots), bundle.records) == (MOST_DOTS, MOST_DOTS + 10)
    assert (drawing.records, drawing.records_of_person) == (MOST_DOTS + 1, MOST_DOTS + 11)


def test_few_records_stay_single_even_if_the_same_identifier_links_them() -> None:
    assert len(drawing_of(graph_of(store_of(office_of(1 + MOST_ALIKE)))).cards) == 1 + MOST_ALIKE


@pytest.mark.parametrize("requests", [50, 150, 500])
def test_a_large_tangle_is_drawn_as_far_as_it_fits_and_says_how_far(requests: int) -> None:
    store = store_of(tangle(requests))
    graph = graph_of(store, max(store.profiles, key=lambda each: len(store.events(each))))
    drawing = drawing_of(graph)
    assert len(boxes_of(drawing)) <= MOST_UNITS
    assert drawing.records == len(set(records_in(drawing)))
    assert drawing.records <= drawing.records_of_person == len(graph.records)
    assert drawing.identifiers_of_person == len(graph.identifiers)
    strongest = max(graph.bridges.values(), default=1)
    assert max(pill.holds_together for pill in drawing.pills) == strongest
