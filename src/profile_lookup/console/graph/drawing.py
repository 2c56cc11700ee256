"""The drawing of a graph: where each record, identifier and line is."""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from math import ceil, sqrt
from uuid import UUID

from profile_lookup.console.graph.join_graph import JoinGraph, Record
from profile_lookup.console.graph.layout import Layout, Point, Size, layout_of
from profile_lookup.console.graph.shapes import Box, Bundle, Card, Dot, Drawing, Line, Pill
from profile_lookup.console.graph.texts import label_of, record_name, shortened, shortened_at_end, width_of
from profile_lookup.console.graph.units import MOST_DOTS, Group, Units, units_of
from profile_lookup.identity.identifier import NormalizedIdentifier

_MARGIN = 16
_PADDING = 14.0
_NARROWEST_TEXT = 112.0
_WIDEST_TEXT = 260.0
_HEIGHT = 50.0  # of a box with two lines of text
_BEFORE_NAME = "  "  # as wide as the dot before a name
_HEADING = 52.0  # the height of the text above the dots of a group
_NARROWEST_GROUP = 176.0
_DOT = 16.0  # from one dot to the next


def drawing_of(graph: JoinGraph) -> Drawing:
    """Return the drawing of a graph. Not everything of a very large one is drawn: see `units`."""
    units = units_of(graph)
    labels = [label_of(each, graph.bridges.get(each, 1)) for each in units.identifiers]
    sizes = [*map(_size_of_group, units.groups), *map(_size_of_identifier, units.identifiers, labels)]
    arrows = list(_arrows(units))
    layout = layout_of(sizes, [_ends(units, *arrow) for arrow in arrows])
    boxes = list(_boxes(units, sizes, layout))
    joins = {event.id for event in graph.joins}
    groups = list(zip(units.groups, boxes, strict=False))
    cards = [_card(group, box, joins) for group, box in groups if len(group.records) == 1]
    bundles = [_bundle(group, box, joins) for group, box in groups if len(group.records) > 1]
    return Drawing(
        ceil(layout.size.width) + 2 * _MARGIN,
        ceil(layout.size.height) + 2 * _MARGIN,
        cards,
        bundles,
        [_pill(graph, *each) for each in zip(units.identifiers, labels, boxes[len(units.groups) :], strict=True)],
        [_line(graph, units, *pair) for pair in zip(arrows, layout.arrows, strict=True)],
        len(cards) + sum(len(bundle.dots) for bundle in bundles),
        len(graph.records),
        len(graph.identifiers),
    )


def _size_of_group(group: Group) -> Size:
    if len(group.records) == 1:
        return _size_of_text(f"{record_name(group.records[0])}{_BEFORE_NAME}")
    columns = _columns(group)
    rows = ceil(len(_dotted(group)) / columns)
    return Size(max(columns * _DOT, _NARROWEST_GROUP) + 2 * _PADDING, _HEADING + rows * _DOT + _PADDING)


def _columns(group: Group) -> int:
    """Return in how many columns the dots of a group are: it becomes half as wide again as high."""
    return ceil(sqrt(1.5 * len(_dotted(group))))


def _dotted(group: Group) -> Sequence[Record]:
    """Return the records of a group that are dots."""
    return group.records[:MOST_DOTS]


def _size_of_identifier(identifier: NormalizedIdentifier, label: str) -> Size:
    return _size_of_text(max(identifier.value, label, key=width_of))


def _size_of_text(text: str) -> Size:
    return Size(min(max(width_of(text), _NARROWEST_TEXT), _WIDEST_TEXT) + 2 * _PADDING, _HEIGHT)


def _arrows(units: Units) -> Iterator[tuple[int, int]]:
    """Yield the positions of each group and of each identifier that it is linked by."""
    for number, group in enumerate(units.groups):
        linking = group.brought | group.matched
        yield from ((number, place) for place, each in enumerate(units.identifiers) if each in linking)


def _ends(units: Units, group: int, identifier: int) -> tuple[int, int]:
    """Return the boxes at the ends of an arrow: who brings an identifier comes before it, and who matches it after."""
    box = len(units.groups) + identifier
    return (group, box) if units.identifiers[identifier] in units.groups[group].brought else (box, group)


def _boxes(units: Units, sizes: Sequence[Size], layout: Layout) -> Iterator[Box]:
    first: dict[NormalizedIdentifier, int] = {}
    for edge in units.edges:
        first.setdefault(edge.identifier, edge.since)
    since = [*(group.since for group in units.groups), *(first[each] for each in units.identifiers)]
    for size, corner, joins in zip(sizes, layout.corners, since, strict=True):
        yield Box(_pixel(corner.x), _pixel(corner.y), round(size.width), round(size.height), joins)


def _card(group: Group, box: Box, joins: Collection[UUID]) -> Card:
    (record,) = group.records
    name = record_name(record)
    return Card(box, record, name, shortened(name, _WIDEST_TEXT), record.id in joins)


def _bundle(group: Group, box: Box, joins: Collection[UUID]) -> Bundle:
    columns = _columns(group)
    dots = [
        Dot(
            round(box.x + _PADDING + _DOT * (number % columns + 0.5)),
            round(box.y + _HEADING + _DOT * (number // columns + 0.5)),
            record,
            record_name(record),
            record.id in joins,
        )
        for number, record in enumerate(_dotted(group))
    ]
    names = ", ".join(dict.fromkeys(dot.name for dot in dots))
    return Bundle(box, len(group.records), shortened_at_end(names, box.width - 2 * _PADDING), dots)


def _pill(graph: JoinGraph, identifier: NormalizedIdentifier, label: str, box: Box) -> Pill:
    text = shortened(identifier.value, _WIDEST_TEXT)
    return Pill(box, identifier, text, label, graph.bridges.get(identifier, 1))


def _line(graph: JoinGraph, units: Units, arrow: tuple[int, int], points: Sequence[Point]) -> Line:
    group, identifier = units.groups[arrow[0]], units.identifiers[arrow[1]]
    records = {record.id for record in group.records}
    since = min(edge.since for edge in units.edges if edge.identifier == identifier and edge.record in records)
    return Line(_path(points), identifier, len(records), since, identifier in graph.bridges)


def _path(points: Sequence[Point]) -> str:
    """Return the path of a line, whose bends are rounded: they are the control points of quadratic curves."""
    start, *bends, end = [f"{_pixel(each.x)} {_pixel(each.y)}" for each in points]
    middles = [_middle(*pair) for pair in pairwise(points[1:])]
    curves = [f"Q{bend} {middle}" for bend, middle in zip(bends, middles, strict=True)]
    return " ".join((f"M{start}", *curves, f"L{end}"))


def _middle(one: Point, other: Point) -> str:
    return f"{_pixel((one.x + other.x) / 2)} {_pixel((one.y + other.y) / 2)}"


def _pixel(place: float) -> int:
    return round(place) + _MARGIN
