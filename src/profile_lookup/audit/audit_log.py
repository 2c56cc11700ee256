"""Writes records of requests, one JSON object in a line, to a file or to standard error."""

import json
import logging
from collections.abc import Mapping
from logging.handlers import WatchedFileHandler
from pathlib import Path
from random import random

from profile_lookup.clock import CLOCK
from profile_lookup.files import open_private
from profile_lookup.metrics.catalogue import AUDIT_LINES_LOST
from profile_lookup.observation_settings import ObservationSettings

log = logging.getLogger(__name__)


class AuditLog:
    """Writes records of requests. `sample` is the share of requests that are recorded, from 0 to 1."""

    def __init__(self, path: Path | None, sample: float) -> None:
        if path is not None:
            open_private(path).close()  # now we know that it can be written, and only its owner may read it
        # A file that was renamed, as log rotation does, is opened anew.
        handler = logging.StreamHandler() if path is None else WatchedFileHandler(path)
        handler.handleError = _count_lost  # type: ignore[assignment,method-assign]  # the request is answered nevertheless
        self._handler = handler
        self._sample = sample

    def chooses(self) -> bool:
        """Return whether the next request is to be recorded."""
        return self._sample >= 1 or random() < self._sample  # noqa: S311 -- nobody gains by predicting it

    def write(self, record: Mapping[str, object]) -> None:
        """Write a record before this returns. It must hold no value."""
        line = json.dumps({"time": CLOCK.now().isoformat(timespec="milliseconds"), **record})
        self._handler.handle(logging.makeLogRecord({"msg": line}))

    def close(self) -> None:
        self._handler.close()


def audit_log_of(settings: ObservationSettings) -> AuditLog | None:
    """Return the audit log that the settings ask for. Raises `OSError` if its file cannot be written."""
    return AuditLog(settings.audit_file, settings.audit_sample) if settings.audit else None


def _count_lost(_record: logging.LogRecord) -> None:
    AUDIT_LINES_LOST.add()
    log.warning("a line of the audit log could not be written")
