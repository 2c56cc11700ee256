"""Counters, gauges and histograms of one process, in plain Python: counting must cost a Lookup next to nothing.

`exporter.py` exports them. Labels have few values, and none of them is personal data.
See docs/decisions/0062-metrics.md.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal

Labels = tuple[str, ...]

Combination = Literal["sum", "latest"]
"""How the values of a gauge in several processes become one: their sum, or the value that was set last."""


class Counter:
    """Counts events by the values of its labels."""

    __slots__ = ("counts", "help", "labels", "name")

    def __init__(self, name: str, help_text: str, labels: Labels = ()) -> None:
        self.name = name
        self.help = help_text
        self.labels = labels
        self.counts: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, *labels: str, count: float = 1) -> None:
        self.counts[labels] = self.counts.get(labels, 0) + count


class Gauge:
    """Holds a value that goes up and down, by the values of its labels."""

    __slots__ = ("combination", "help", "labels", "name", "values")

    def __init__(self, name: str, help_text: str, labels: Labels = (), combination: Combination = "sum") -> None:
        self.name = name
        self.help = help_text
        self.labels = labels
        self.combination = combination
        self.values: dict[Labels, float] = {}

    def set(self, value: float, *labels: str) -> None:
        self.values[labels] = value


class Distribution:
    """Counts how often values fell between the bounds, and adds them up. The last count is of those above all."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Histogram:
    """Has a distribution of values for the values of its labels. `bounds` are inclusive, the lowest first."""

    __slots__ = ("bounds", "distributions", "help", "labels", "name")

    def __init__(self, name: str, help_text: str, bounds: Sequence[float], labels: Labels = ()) -> None:
        self.name = name
        self.help = help_text
        self.bounds = bounds
        self.labels = labels
        self.distributions: dict[Labels, Distribution] = {} if labels else {(): Distribution(bounds)}

    def of(self, *labels: str) -> Distribution:
        """Return the distribution for these values of the labels, which callers may keep."""
        found = self.distributions.get(labels)
        if found is None:
            found = self.distributions[labels] = Distribution(self.bounds)
        return found


Instrument = Counter | Gauge | Histogram
