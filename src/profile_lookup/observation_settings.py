"""The settings of the log, metrics, traces and the audit log, by which operators see what a service does."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class ObservationSettings(BaseSettings):
    """These are part of `settings.Settings`."""

    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        Field(description="The lowest severity that is logged."),
    ] = "INFO"
    log_requests: Annotated[bool, Field(description="Whether each request is logged, in one line.")] = False
    metrics: Annotated[
        bool,
        Field(
            description="Whether `/metrics` answers on the service's own port, without credentials. Prefer "
            "`METRICS_PORT`, unless strangers cannot reach the service's own port."
        ),
    ] = False
    metrics_host: Annotated[
        str,
        Field(min_length=1, description="The address that the metrics listen on, if they have a port of their own."),
    ] = "127.0.0.1"
    metrics_port: Annotated[
        int | None,
        Field(
            ge=0,
            le=65535,
            description="A port for the metrics alone, of `serve` or of `worker`; 0 takes a free one. Unset: none.",
        ),
    ] = None
    audit: Annotated[
        bool,
        Field(
            description="Whether each request is recorded: who called which operation, and which profiles came out or "
            "changed; never a value (`docs/observability.md`)."
        ),
    ] = False
    audit_file: Annotated[
        Path | None, Field(description="The file that these records are appended to. Unset: standard error.")
    ] = None
    audit_sample: Annotated[
        float, Field(gt=0, le=1, description="The share of requests that are recorded; 1 is all of them.")
    ] = 1.0
    traces: Annotated[
        bool,
        Field(
            description="Whether requests and their statements are traced by OpenTelemetry. It needs "
            "`profile-lookup[otel]`; the variables `OTEL_…` say where traces go (`docs/observability.md`)."
        ),
    ] = False

    @property
    def has_metrics(self) -> bool:
        """Whether anybody can read metrics, so that requests have to be measured."""
        return self.metrics or self.metrics_port is not None
