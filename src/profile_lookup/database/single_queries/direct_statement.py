"""Runs prepared statements without a task, a future or a driver's coroutines: it calls back when the rows have arrived.

The driver connects, and prepares the statements. While one of them is run, an `Exchange` takes the driver's place as
the protocol of the connection. So the driver sees nothing of it, and stands where it stood, between two statements.

An exchange understands rows alone. If anything else arrives, such as an error, the connection is of no more use, and
the driver, which understands all answers, has to run the statement on a new one. See
docs/decisions/0038-lookups-below-asgi.md.
"""

import asyncio
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast
from uuid import UUID

import asyncpg

Settle = Callable[[list[Any] | None], None]
"""Takes the decoded rows, or None if the connection was lost or PostgreSQL answered something else."""

DecodeRow = Callable[[bytes, int], Any]
"""Returns the row of an answer whose first column, which begins with its length, begins at this position."""

_BINARY = b"\0\1\0\1"  # one format for all parameters, or for all columns: binary
EXECUTE = b"E\0\0\0\x09\0\0\0\0\0"
SYNC = b"S\0\0\0\x04"
_EXECUTE_AND_SYNC = EXECUTE + SYNC
_BIND_COMPLETE = b"2\0\0\0\x04"
IDLE = b"Z\0\0\0\x05I"  # ReadyForQuery, with which each answer ends; no transaction is open
_DATA_ROW, _COMMAND_COMPLETE = b"DC"
_BEFORE_COLUMNS = 7  # bytes of a DataRow: its type, its length, and the number of columns
_LENGTH = struct.Struct("!i")
_ARRAY = struct.Struct("!iiiii")
_BYTEA, _INT8, _TEXT, _UUID = 17, 20, 25, 2950  # OIDs


class Exchange(asyncio.Protocol):
    """Runs one statement at a time on a connection of the driver, which must be idle."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._transport: asyncio.Transport = connection._transport  # type: ignore[attr-defined]  # noqa: SLF001
        self._driver = cast("asyncio.Protocol", self._transport.get_protocol())
        self._settle: Settle | None = None
        self._received = b""
        self.is_lost = self._transport.is_closing

    @property
    def is_under_way(self) -> bool:
        return self._settle is not None

    def begin(self, name: bytes, parameters: Sequence[bytes], decode: DecodeRow, settle: Settle) -> None:
        """Run the prepared statement that has this name, and call `settle` once, not before this returns."""
        self.send(self.messages(name, parameters), decode, settle)

    def send(self, messages: bytes, decode: DecodeRow, settle: Settle) -> None:
        """Send messages that end with Sync, and call `settle` once with what `rows_in` makes of the answer."""
        self._decode = decode
        self._settle = settle
        self._transport.set_protocol(self)
        self._transport.write(messages)

    def messages(self, name: bytes, parameters: Sequence[bytes]) -> bytes:
        """Return the messages Bind, Execute and Sync for a prepared statement."""
        return bind_message(name, parameters) + _EXECUTE_AND_SYNC

    def rows_in(self, answer: bytes, decode: DecodeRow) -> list[Any] | None:
        """Return the rows; None if the answer is not complete, or has anything but rows."""
        rows, end = rows_from(answer, 0, decode)
        return rows if end == len(answer) - len(IDLE) else None

    def abandon(self) -> None:
        """Call `settle` with None, if a statement is under way."""
        self._end(None)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        if received.endswith(IDLE):
            self._received = b""
            self._transport.set_protocol(self._driver)
            self._end(self.rows_in(received, self._decode))

    def connection_lost(self, exc: Exception | None) -> None:
        self._driver.connection_lost(exc)
        self._end(None)

    def _end(self, rows: list[Any] | None) -> None:
        settle, self._settle = self._settle, None
        if settle is not None:
            settle(rows)


def bind_message(name: bytes, parameters: Sequence[bytes]) -> bytes:
    """Return the message that gives parameters to a prepared statement."""
    values = [_LENGTH.pack(len(each)) + each for each in parameters]
    bind = b"".join((b"\0", name, b"\0", _BINARY, len(values).to_bytes(2), *values, _BINARY))
    return b"B%b%b" % (_LENGTH.pack(_LENGTH.size + len(bind)), bind)


def rows_from(answer: bytes, start: int, decode: DecodeRow) -> tuple[list[Any] | None, int]:
    """Return the rows of the statement whose part of the answer begins there, and where that part ends.

    Return None instead of the rows if the answer is not complete there, or has anything but rows.
    """
    if not answer.startswith(_BIND_COMPLETE, start):
        return None, start
    rows = []
    position = start + len(_BIND_COMPLETE)
    try:
        while answer[position] == _DATA_ROW:
            rows.append(decode(answer, position + _BEFORE_COLUMNS))
            position += 1 + _LENGTH.unpack_from(answer, position + 1)[0]
        is_complete = answer[position] == _COMMAND_COMPLETE
        position += 1 + _LENGTH.unpack_from(answer, position + 1)[0]
    except (IndexError, struct.error):
        return None, start
    return (rows if is_complete else None), position


# Parameters as PostgreSQL receives them


def encoded_uuid(uuid: UUID) -> bytes:
    return uuid.bytes


def encoded_texts(texts: Iterable[str]) -> bytes:
    return _encoded_array(_TEXT, [text.encode() for text in texts])


def encoded_byteas(values: Sequence[bytes]) -> bytes:
    return _encoded_array(_BYTEA, values)


def encoded_uuids(uuids: Iterable[UUID]) -> bytes:
    return _encoded_array(_UUID, [uuid.bytes for uuid in uuids])


def encoded_bigints(numbers: Iterable[int]) -> bytes:
    return _encoded_array(_INT8, [number.to_bytes(8, signed=True) for number in numbers])


def _encoded_array(oid: int, values: Sequence[bytes]) -> bytes:
    """Return an array of one dimension, whose first index is 1. It has at least one element, and none is null."""
    elements = [len(value).to_bytes(4) + value for value in values]
    return _ARRAY.pack(1, 0, oid, len(values), 1) + b"".join(elements)
