"""Answers Prometheus with the sum of what all processes of a service have counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from profile_lookup.errors import OperatorError
from profile_lookup.metrics.directory import metrics_directory, numbers_of_the_dead

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition(directory: Path) -> bytes:
    """Return the metrics of all processes in the text format."""
    return generate_latest(_registry(directory))


@contextmanager
def metrics_listener(host: str, port: int) -> Iterator[int]:
    """Answer requests for the metrics, and for nothing else, in a thread. Yield the port. Raises `OperatorError`."""
    with metrics_directory() as directory:
        try:
            server, thread = start_http_server(port, host, _registry(directory))
        except OSError as error:
            raise OperatorError(f"Cannot listen on {host} port {port} for metrics: {error.strerror}") from None
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _registry(directory: Path) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_LivingProcesses(directory))
    return registry


class _LivingProcesses(MultiProcessCollector):
    """Removes the gauges of processes that have ended; what they counted stays."""

    def __init__(self, directory: Path) -> None:
        super().__init__(None, str(directory))
        self._directory = directory

    def collect(self) -> "list[Metric]":
        for number in numbers_of_the_dead(self._directory):
            mark_process_dead(number, str(self._directory))
        return list(super().collect())
