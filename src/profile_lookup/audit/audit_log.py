"""Writes records of requests, one JSON object in a line, to a file or to standard error."""

import json
import logging
import os
from collections.abc import Mapping
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path
from random import random
from typing import TextIO

from profile_lookup.clock import CLOCK
from profile_lookup.files import open_private
from profile_lookup.metrics.catalogue import AUDIT_LINES_LOST
from profile_lookup.observation_settings import ObservationSettings

log = logging.getLogger(__name__)


class _StandardError(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's name
        _count_lost(record)


class _File(WatchedFileHandler):
    """A file that only its owner may read. If it was renamed, as log rotation does, it is opened anew."""

    def _open(self) -> TextIOWrapper:
        return TextIOWrapper(open_private(Path(self.baseFilename)), encoding="utf-8")

    _end_of_torn_line = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line at once. A full disk may take a part of it, which the next line must not continue."""
        line = f"{self._end_of_torn_line}{record.getMessage()}\n".encode()
        try:
            self.reopenIfNeeded()
            self.stream = self.stream or self._open()
            is_torn = os.write(self.stream.fileno(), line) < len(line)
        except OSError:  # it could not be opened anew, or not be written at all
            self.handleError(record)
            return
        self._end_of_torn_line = "\n" if is_torn else ""
        if is_torn:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's name
        _count_lost(record)


class AuditLog:
    """Writes records of requests. `sample` is the share of requests that are recorded, from 0 to 1."""

    def __init__(self, path: Path | None, sample: float) -> None:
        self._handler = _StandardError() if path is None else _File(path)
        self._sample = sample

    def chooses(self) -> bool:
        """Return whether the next request is to be recorded."""
        return self._sample >= 1 or random() < self._sample  # noqa: S311 -- nobody gains by predicting it

    def write(self, record: Mapping[str, object]) -> None:
        """Write a record before this returns. It must hold no value. A record that cannot be written is counted."""
        line = json.dumps({"time": CLOCK.now().isoformat(timespec="milliseconds"), **record})
        self._handler.handle(logging.makeLogRecord({"msg": line}))

    def close(self) -> None:
        self._handler.close()


def audit_log_of(settings: ObservationSettings) -> AuditLog | None:
    """Return the audit log that the settings ask for. Raises `OSError` if its file cannot be written."""
    return AuditLog(settings.audit_file, settings.audit_sample) if settings.audit else None


def verify_audit_file(settings: ObservationSettings) -> None:
    """Raise an `OSError` if the settings ask for an audit log whose file cannot be written."""
    audit = audit_log_of(settings)
    if audit is not None:
        audit.close()


def _count_lost(_record: logging.LogRecord) -> None:
    AUDIT_LINES_LOST.add()
    log.warning("a line of the audit log could not be written")
