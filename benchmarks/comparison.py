"""The figures of two products, side by side, and those of the same product against itself."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.results import Spread, aligned

HERE, AGAIN = "here", "here again"
"""The product of this checkout, and a second server of the same product: their ratio is the noise of the run."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One value. `what`: what was measured, and its unit."""

    what: str
    contender: str
    round: int
    value: float


@dataclass(slots=True)
class Comparison:
    options: dict[str, Any]
    machine: dict[str, Any]
    others: list[str] = field(default_factory=list)
    """The contenders that this checkout is compared with."""
    figures: list[Figure] = field(default_factory=list)

    def add(self, what: str, contender: str, round_: int, value: float | None) -> None:
        """Add a figure at once, so that it is kept even if a later measurement fails. None: it cannot be measured."""
        if value is not None:
            self.figures.append(Figure(what, contender, round_, value))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def table(self) -> Iterator[str]:
        """Yield the lines of a Markdown table for each of the others, with an empty line between two tables."""
        for number, other in enumerate(self.others):
            if number:
                yield ""
            rows: list[tuple[str, ...]] = [
                ("what", HERE, other, f"{HERE} is … times it (min-max)", "itself (min-max)", "within")
            ]
            rows += [self._row(what, other) for what in dict.fromkeys(figure.what for figure in self.figures)]
            yield from aligned(rows)

    def _row(self, what: str, other: str) -> tuple[str, ...]:
        ratio, noise = self._ratio(what, other), self._ratio(what, AGAIN)
        is_within = ratio and noise and noise.low <= ratio.median <= noise.high
        return (
            what,
            *(_formatted(Spread.of(self._values(what, contender).values())) for contender in (HERE, other)),
            _with_range(ratio),
            _with_range(noise),
            "" if is_within is None else "yes" if is_within else "no",
        )

    def _ratio(self, what: str, other: str) -> Spread | None:
        """Return how many times the other's figures those of this checkout are, compared within each round."""
        here, theirs = self._values(what, HERE), self._values(what, other)
        return Spread.of(here[round_] / theirs[round_] for round_ in here if theirs.get(round_))

    def _values(self, what: str, contender: str) -> dict[int, float]:
        return {each.round: each.value for each in self.figures if (each.what, each.contender) == (what, contender)}


def _formatted(spread: Spread | None) -> str:
    return "" if spread is None else f"{spread.median:,.0f}" if spread.median >= 100 else f"{spread.median:.3g}"  # noqa: PLR2004 -- three digits


def _with_range(spread: Spread | None) -> str:
    return "" if spread is None else f"{spread.median:.3f} ({spread.low:.3f}-{spread.high:.3f})"
