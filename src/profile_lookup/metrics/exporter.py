"""Copies what a process has counted to the files that all processes of a service share, once a second.

So counting itself costs no more than adding to a number in Python. What a process counted in its last second is lost if
it is killed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prometheus_client.utils import floatToGoString
from prometheus_client.values import MultiProcessValue

from profile_lookup.metrics.catalogue import BUILD, CATALOGUE
from profile_lookup.metrics.directory import metrics_directory, take_number
from profile_lookup.metrics.instruments import Counter, Gauge, Histogram, Labels

INTERVAL = 1.0  # seconds between two copies

Measure = Callable[[], None]
"""Sets gauges to their current values."""

_MODES = {"sum": "livesum", "latest": "livemostrecent"}
_Key = tuple[str, str, Labels]
"""The name of a series, the bound of its bucket if it has one, and the values of its labels."""


class Exporter:
    """Exports what this process counts, to files in `directory`. `measures` are called before each copy."""

    def __init__(self, directory: Path, number: int) -> None:
        self.directory = directory
        self.measures: list[Measure] = []
        self._value_type = MultiProcessValue(lambda: number)
        self._values: dict[_Key, Any] = {}
        self._copied: dict[_Key, float] = {}
        BUILD.set(1, version("profile-lookup"))

    def copy(self) -> None:
        """Copy what was counted since the last copy."""
        for measure in self.measures:
            measure()
        for instrument in CATALOGUE:
            match instrument:
                case Counter():
                    self._copy_counter(instrument)
                case Gauge():
                    self._copy_gauge(instrument)
                case Histogram():
                    self._copy_histogram(instrument)

    def close(self) -> None:
        self.copy()
        self._value_type.close_all_files()

    def _copy_counter(self, counter: Counter) -> None:
        name = counter.name.removesuffix("_total")
        for labels, count in counter.counts.items():
            self._add((counter.name, "", labels), count, "counter", name, counter.labels, counter.help)

    def _copy_gauge(self, gauge: Gauge) -> None:
        for labels, value in gauge.values.items():
            key = (gauge.name, "", labels)
            mode = _MODES[gauge.combination]
            exported = self._value(key, "gauge", gauge.name, gauge.labels, gauge.help, multiprocess_mode=mode)
            exported.set(value, timestamp=time.time())

    def _copy_histogram(self, histogram: Histogram) -> None:
        name, bounds = histogram.name, [*map(float, histogram.bounds), float("inf")]
        for labels, distribution in histogram.distributions.items():
            self._add(
                (f"{name}_sum", "", labels), distribution.total, "histogram", name, histogram.labels, histogram.help
            )
            for bound, count in zip(bounds, distribution.counts, strict=True):
                key = (f"{name}_bucket", floatToGoString(bound), labels)
                self._add(key, count, "histogram", name, histogram.labels, histogram.help)

    def _add(self, key: _Key, count: float, kind: str, name: str, labels: Labels, help_text: str) -> None:
        """Add what was counted since the last copy. A process that died may have left a count in the same file."""
        copied = self._copied.get(key)
        if copied != count:
            self._value(key, kind, name, labels, help_text).inc(count - (copied or 0))
            self._copied[key] = count

    def _value(self, key: _Key, kind: str, name: str, labels: Labels, help_text: str, **options: str) -> Any:
        found = self._values.get(key)
        if found is None:
            series, bound, label_values = key
            bucket = (("le",), (bound,)) if bound else ((), ())
            found = self._values[key] = self._value_type(
                kind, name, series, (*labels, *bucket[0]), (*label_values, *bucket[1]), help_text, **options
            )
        return found


@asynccontextmanager
async def exporting() -> AsyncIterator[Exporter]:
    """Export what this process counts while the block runs, once a second."""
    with metrics_directory() as directory:
        number, lock = take_number(directory)
        with lock:
            exporter = Exporter(directory, number)
            task = asyncio.create_task(_copy_again_and_again(exporter))
            try:
                yield exporter
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                exporter.close()


async def _copy_again_and_again(exporter: Exporter) -> None:
    while True:
        await asyncio.sleep(INTERVAL)
        exporter.copy()
