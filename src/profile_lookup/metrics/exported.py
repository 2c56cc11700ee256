"""Exports metrics if the settings let anybody read them. Otherwise nothing of prometheus-client is loaded."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from profile_lookup.observation_settings import ObservationSettings

if TYPE_CHECKING:
    from profile_lookup.metrics.exporter import Exporter


@asynccontextmanager
async def exported(settings: ObservationSettings) -> AsyncIterator["Exporter | None"]:
    """Export what this process counts while the block runs."""
    if not settings.has_metrics:
        yield None
        return
    from profile_lookup.metrics.exporter import exporting  # noqa: PLC0415

    async with exporting() as exporter:
        yield exporter


@contextmanager
def listening_for_metrics(settings: ObservationSettings) -> Iterator[str | None]:
    """Answer with the metrics on a port of their own, if the settings name one, and yield their address.

    Processes that are started in the block leave what they count in the same directory. Raises `OperatorError`.
    """
    if not settings.has_metrics:
        yield None
        return
    from profile_lookup.metrics.directory import metrics_directory  # noqa: PLC0415
    from profile_lookup.metrics.exposition import metrics_listener  # noqa: PLC0415

    with metrics_directory():
        if settings.metrics_port is None:
            yield None
            return
        with metrics_listener(settings.metrics_host, settings.metrics_port) as port:
            host = settings.metrics_host
            yield f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"
