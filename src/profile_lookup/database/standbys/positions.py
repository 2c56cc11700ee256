"""Positions in PostgreSQL's log, and when the state of a standby may be used instead of the primary's.

Whoever reads from a standby asks the primary for its position after the request arrived. Everything that was answered
before is in the log up to there. A standby that has replayed the log up to there has it, too.

Positions of two timelines must not be compared: a server that was promoted while the primary went on has other records
at the same positions. So each position has its timeline, which is that of what a standby receives.
"""

import struct
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import asyncpg


class Position(NamedTuple):
    """Where the primary's log ends: `timeline` is its timeline's number, and `offset` is a number of bytes."""

    timeline: int
    offset: int


class Replay(NamedTuple):
    """How far a server has replayed the log. It has been promoted if it is not in recovery.

    `timeline` is that of the log that it receives. It is `CUT_OFF` if the server receives nothing.
    """

    is_in_recovery: bool
    timeline: int
    offset: int


CUT_OFF, HIDDEN = 0, -1
"""Instead of a timeline: the standby receives nothing, or the role may not see what it receives."""


class ServerState(NamedTuple):
    """What identifies a server and its log. `offset` is where the primary's log ends, or a standby's replay."""

    cluster: int
    database: int
    is_in_recovery: bool
    timeline: int
    offset: int


class Verdict(Enum):
    """Whether a standby is used, and if not, why. The values are for the log."""

    USED = "it is used"
    UNKNOWN = "it has not answered yet"
    SILENT = "it does not answer, or with an error"
    PROMOTED = "it is no standby: it was promoted, or it is a primary"
    FOREIGN = "it is not a copy of this database"
    OTHER_TIMELINE = "it follows another timeline than the primary's"
    CUT_OFF = "it receives nothing from a primary"
    HIDDEN = "its role may not see which timeline it follows: GRANT pg_read_all_stats TO that role"
    LATE = "it has not replayed what the primary has written"


# What was answered is flushed, unless `synchronous_commit` is off. The insert position may be ahead of that for as long
# as nobody writes, and only what is flushed is sent to standbys. A timeline's number is known only as the beginning of
# a file's name.
POSITION = """
    select substr(pg_walfile_name(position), 1, 8), position
    from (
        select case current_setting('synchronous_commit')
            when 'off' then pg_current_wal_insert_lsn()
            else pg_current_wal_flush_lsn()
        end
        offset 0
    ) as primary_log (position)
"""
"""Returns the primary's position: the timeline as eight hexadecimal digits, and the LSN. It fails on a standby."""

REPLAY = """
    select pg_is_in_recovery(), coalesce(receiver.received_tli, 0), coalesce(pg_last_wal_replay_lsn(), '0/0')
    from pg_stat_get_wal_receiver() as receiver
"""
"""Returns how far a server has replayed the log."""

STATE = """
    select
        control.system_identifier,
        (select oid::bigint from pg_database where datname = current_database()),
        server.is_in_recovery,
        case
            when not server.is_in_recovery
            then ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint
            when receiver.pid is null then 0
            else coalesce(receiver.received_tli, -1)
        end,
        case
            when server.is_in_recovery then coalesce(pg_last_wal_replay_lsn(), '0/0')
            else pg_current_wal_insert_lsn()
        end
    from (select pg_is_in_recovery() as is_in_recovery offset 0) as server
    cross join pg_control_system() as control
    cross join pg_stat_get_wal_receiver() as receiver
"""
"""Returns the `ServerState` of a primary or a standby."""

_POSITION_ROW = struct.Struct("!i8siQ")
_HEXADECIMAL = 16

# An answer to REPLAY always has this many bytes: BindComplete, DataRow, and CommandComplete with `SELECT 1`.
_REPLAY_ROW = struct.Struct("!5x7xi?iiiQ14x")
SIZE_OF_REPLAY = _REPLAY_ROW.size


def decoded_position(answer: bytes, start: int) -> Position:
    """Return the row of POSITION that begins there."""
    _, timeline, _, offset = _POSITION_ROW.unpack_from(answer, start)
    return Position(int(timeline, _HEXADECIMAL), offset)


def position_of(rows: Sequence[asyncpg.Record]) -> Position:
    """Return the position in the rows of POSITION that the driver returned."""
    ((timeline, offset),) = rows
    return Position(int(timeline, _HEXADECIMAL), offset)


def decoded_replay(answer: bytes) -> Replay:
    """Return the row of REPLAY with which an answer of the server begins."""
    _, is_in_recovery, _, timeline, _, offset = _REPLAY_ROW.unpack_from(answer)
    return Replay(is_in_recovery, timeline, offset)


def replay_of(rows: Sequence[asyncpg.Record]) -> Replay:
    """Return what REPLAY returned to the driver."""
    (row,) = rows
    return Replay(*row)


def verdict_on(primary: ServerState, standby: ServerState, needed: int) -> Verdict:
    """Return whether the standby may be used on the primary's timeline. `needed` is what it must have replayed."""
    if (standby.cluster, standby.database) != (primary.cluster, primary.database):
        return Verdict.FOREIGN
    if not standby.is_in_recovery:
        return Verdict.PROMOTED
    if standby.timeline != primary.timeline:
        return _OTHER_TIMELINES.get(standby.timeline, Verdict.OTHER_TIMELINE)
    return Verdict.USED if standby.offset >= needed else Verdict.LATE


def verdict_on_replay(replay: Replay, needed: Position) -> Verdict:
    """Return whether a standby, which was used so far, has what a read needs."""
    if not replay.is_in_recovery:
        return Verdict.PROMOTED
    if replay.timeline != needed.timeline:
        return _OTHER_TIMELINES.get(replay.timeline, Verdict.OTHER_TIMELINE)
    return Verdict.USED if replay.offset >= needed.offset else Verdict.LATE


_OTHER_TIMELINES = {CUT_OFF: Verdict.CUT_OFF, HIDDEN: Verdict.HIDDEN}
