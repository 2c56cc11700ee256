"""Logs: one JSON line per event, on standard error, and never an identifier's value.

The text of an exception may quote what a client sent or what a table holds (PostgreSQL's own errors do), so an
exception is logged with its type and where it was raised, never with its text.
"""

import logging
import traceback
from types import TracebackType

from pythonjsonlogger.json import JsonFormatter

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _Formatter(JsonFormatter):
    def formatException(self, exc_info: _ExcInfo) -> str:  # noqa: N802 -- logging's own name
        lines = []
        error = exc_info[1]
        while error is not None:
            lines.append(type(error).__qualname__)
            lines += [
                f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
            ]
            error = error.__cause__ or error.__context__
        return "\n".join(lines)


def configure_logging(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(
        _Formatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "message": "event"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.raiseExceptions = False  # if an event cannot be written, logging would print it unformatted
    # These log their own progress, which is not an event of the service.
    for chatty in ("alembic", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
