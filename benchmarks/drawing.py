"""Draws results as SVG without a library, because a line chart needs only a few elements."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from benchmarks.compiled_peers import GO, RUST
from benchmarks.contenders import ECHO, FASTIFY, FASTIFY_PARSING, NAIVE, PGBENCH, PRODUCT
from benchmarks.datasets import parse_size
from benchmarks.results import Measurement, Results, Section, Spread

# The palette of Okabe and Ito, which colour-blind people can distinguish. Contenders with dashed lines do less work.
_STYLES = {
    PRODUCT: ("#0072b2", ""),
    FASTIFY: ("#d55e00", ""),
    FASTIFY_PARSING: ("#cc79a7", ""),
    NAIVE: ("#444444", ""),
    ECHO: ("#009e73", "6 4"),
    PGBENCH: ("#8a6d00", "2 3"),
    GO: ("#56b4e9", ""),
    RUST: ("#b8860b", ""),
}

_WIDTH, _HEIGHT = 860, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 230, 60, 60
_INSET = 30  # distance of the first and the last point from the edges
_LABEL_DISTANCE = 16


@dataclass(frozen=True, slots=True)
class Series:
    """`points`: one for each position on the horizontal axis, or None if it was not measured."""

    name: str
    points: Sequence[Spread | None]


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    subtitle: str
    horizontal: str
    positions: Sequence[str]
    series: Sequence[Series]
    is_logarithmic: bool


def draw(runs: Sequence[Results], directory: Path) -> list[Path]:
    """Draw throughput and p99 over connections, and cost over size, if there are several of these. Return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    charts: dict[str, Chart] = {}
    for run in runs:
        for section in run.sections():
            name = f"{section.kind}-{section.size}" + ("" if section.workers == 1 else f"-{section.workers}-workers")
            if len(run.connections(section)) > 1:
                charts[f"throughput-{name}"] = _over_connections(
                    run, section, "Requests a second", lambda each: each.requests_per_second
                )
                charts[f"p99-{name}"] = _over_connections(
                    run, section, "99th percentile of latency, ms", lambda each: each.p99, is_logarithmic=True
                )
    for kind in dict.fromkeys(section.kind for run in runs for section in run.sections()):
        chart = _over_sizes(runs, kind)
        if len(chart.positions) > 1:
            charts[f"cost-{kind}"] = chart
    written = []
    for name, chart in charts.items():
        path = directory / f"{name}.svg"
        path.write_text("\n".join(_svg(chart)) + "\n")
        written.append(path)
    return written


def _over_connections(
    run: Results,
    section: Section,
    title: str,
    figure: Callable[[Measurement], float],
    *,
    is_logarithmic: bool = False,
) -> Chart:
    connections = run.connections(section)
    series = [
        Series(name, [Spread.of(map(figure, run.of(section, count, name))) for count in connections])
        for name in run.contenders(section)
    ]
    subtitle = f"{section.title}; medians of {run.options['rounds']} round(s), with least and greatest"
    return Chart(title, subtitle, "connections", [str(count) for count in connections], series, is_logarithmic)


def _over_sizes(runs: Sequence[Results], kind: str) -> Chart:
    """Chart the CPU time of server and database together, at 32 connections or the nearest measured number."""
    by_size: dict[str, tuple[Results, Section, int]] = {}
    for run in runs:
        for section in run.sections():
            if section.kind == kind and section.workers == 1:
                nearest = min(run.connections(section), key=lambda count: abs(count - 32))
                by_size[section.size] = (run, section, nearest)
    sizes = sorted(by_size, key=parse_size)
    names = list(dict.fromkeys(name for run, section, _ in by_size.values() for name in run.contenders(section)))
    series = [
        Series(
            name,
            [
                Spread.of(map(_cost, run.of(section, count, name)))
                for run, section, count in (by_size[size] for size in sizes)
            ],
        )
        for name in names
        if name != ECHO  # it has no database
    ]
    counts = {count for _, _, count in by_size.values()}
    subtitle = f"{kind}, {'/'.join(map(str, sorted(counts)))} connections; server and PostgreSQL together"
    return Chart("CPU seconds per 1000 requests", subtitle, "identifiers", sizes, series, is_logarithmic=True)


def _cost(measurement: Measurement) -> float | None:
    """Return the CPU time of PostgreSQL and of the server, if there is one; pgbench has none."""
    if measurement.postgres_cpu is None:
        return None
    return measurement.postgres_cpu + (measurement.cpu or 0)


def _svg(chart: Chart) -> Iterator[str]:
    spreads = [point for series in chart.series for point in series.points if point is not None]
    scale = _Scale(min(each.low for each in spreads), max(each.high for each in spreads), chart.is_logarithmic)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
        ' font-family="system-ui, sans-serif" font-size="13" fill="#222222">'
    )
    yield f"<title>{escape(chart.title)}</title>"
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>'
    yield f'<text x="{_LEFT}" y="26" font-size="17" font-weight="600">{escape(chart.title)}</text>'
    yield f'<text x="{_LEFT}" y="45" fill="#666666">{escape(chart.subtitle)}</text>'
    for tick in scale.ticks():
        y = scale.y(tick)
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#e3e3e3"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>'
    for index, position in enumerate(chart.positions):
        yield (
            f'<text x="{_x(chart, index):.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">'
            f"{escape(position)}</text>"
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield f'<text x="{middle}" y="{_HEIGHT - _BOTTOM + 42}" text-anchor="middle">{escape(chart.horizontal)}</text>'
    for series in chart.series:
        yield from _line(chart, scale, series)
    yield from _labels(chart, scale)
    yield "</svg>"


def _line(chart: Chart, scale: "_Scale", series: Series) -> Iterator[str]:
    color, dashes = _STYLES[series.name]
    width = 3 if series.name == PRODUCT else 2
    known = [(_x(chart, index), point) for index, point in enumerate(series.points) if point is not None]
    places = " ".join(f"{x:.1f},{scale.y(point.median):.1f}" for x, point in known)
    yield (
        f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="{width}" stroke-dasharray="{dashes}"/>'
    )
    for x, point in known:
        yield (
            f'<line x1="{x:.1f}" y1="{scale.y(point.low):.1f}" x2="{x:.1f}" y2="{scale.y(point.high):.1f}"'
            f' stroke="{color}" stroke-opacity="0.5"/>'
        )
        yield f'<circle cx="{x:.1f}" cy="{scale.y(point.median):.1f}" r="3.5" fill="{color}"/>'


def _labels(chart: Chart, scale: "_Scale") -> Iterator[str]:
    """Write each line's name and last value beside its end, moved apart if labels would overlap."""
    ends = [
        (scale.y(point.median), series.name, point.median)
        for series in chart.series
        for point in [next((point for point in reversed(series.points) if point is not None), None)]
        if point is not None
    ]
    below = float(_TOP - _LABEL_DISTANCE)
    room = len(ends)
    for y, name, value in sorted(ends):
        lowest = _HEIGHT - _BOTTOM - (room - 1) * _LABEL_DISTANCE  # leaves room for the other labels
        below = max(below + _LABEL_DISTANCE, min(y, lowest))
        room -= 1
        yield (
            f'<text x="{_WIDTH - _RIGHT + 12}" y="{below + 4:.1f}" fill="{_STYLES[name][0]}">'
            f"{escape(name)} {_number(value)}</text>"
        )


def _x(chart: Chart, index: int) -> float:
    width = _WIDTH - _LEFT - _RIGHT - 2 * _INSET
    return _LEFT + _INSET + width * index / (len(chart.positions) - 1)


class _Scale:
    """The vertical axis: linear from zero, or logarithmic."""

    def __init__(self, low: float, high: float, is_logarithmic: bool) -> None:
        self._is_logarithmic = is_logarithmic and low > 0
        self._low: float
        self._high: float
        if self._is_logarithmic:
            self._low = math.floor(math.log10(low))
            self._high = max(math.ceil(math.log10(high)), self._low + 1)
        else:
            self._low, self._high = 0.0, high * 1.05

    def y(self, value: float) -> float:
        place = math.log10(max(value, 10.0**self._low)) if self._is_logarithmic else value
        return _HEIGHT - _BOTTOM - (place - self._low) / (self._high - self._low) * (_HEIGHT - _TOP - _BOTTOM)

    def ticks(self) -> list[float]:
        if self._is_logarithmic:
            return [10.0**power for power in range(int(self._low), int(self._high) + 1)]
        step = 10.0 ** math.floor(math.log10(self._high))
        step /= next(parts for limit, parts in ((2, 5), (5, 2), (10, 1)) if self._high / step < limit)
        return [step * number for number in range(int(self._high / step) + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 -- three digits are enough
