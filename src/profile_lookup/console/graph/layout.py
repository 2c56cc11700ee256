"""The layout of a graph from left to right, by the layered engine of graphlay (decision record 0070)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import graphlay

_OPTIONS: dict[str, Any] = {
    "direction": "leftright",
    "effort": "fast",
    "spacing": {"layer_gap": 52.0, "node_gap": 18.0},
    "routing": {"style": "diagonal"},
    # The search for fewer crossings stops early: with all rounds, a large person would take seconds.
    "tuning": {"order": {"seeds": 1, "sweeps": 2, "sifting_rounds": 1, "kick_rounds": 0}},
}


class Point(NamedTuple):
    x: float
    y: float


_ORIGIN = Point(0, 0)


class Size(NamedTuple):
    """The width and the height of a box, in pixels."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The upper left corners of the boxes, the bends of the arrows, and the size of the whole."""

    corners: Sequence[Point]
    arrows: Sequence[Sequence[Point]]
    size: Size


def layout_of(boxes: Sequence[Size], arrows: Sequence[tuple[int, int]]) -> Layout:
    """Place boxes so that most arrows lead from left to right. Arrows name boxes by their position in the sequence."""
    graph = graphlay.Graph()
    for number, (width, height) in enumerate(boxes):
        graph.node(number, width=width, height=height)
    for source, target in arrows:
        graph.edge(source, target)
    drawn = graphlay.layout(graph, options=_OPTIONS)
    least, most = _point(drawn.bounds["min"]), _point(drawn.bounds["max"])
    centres = [_point(node["center"]) for node in drawn.nodes]
    corners = [
        Point(centre.x - box.width / 2 - least.x, centre.y - box.height / 2 - least.y)
        for centre, box in zip(centres, boxes, strict=True)
    ]
    bends = [[_point(each, least) for each in edge["points"]] for edge in drawn.edges]
    return Layout(corners, bends, Size(most.x - least.x, most.y - least.y))


def _point(found: dict[str, float], origin: Point = _ORIGIN) -> Point:
    return Point(found["x"] - origin.x, found["y"] - origin.y)
