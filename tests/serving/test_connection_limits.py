"""Which connection ends when there are too many, and which addresses have too many."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from profile_lookup.serving.connection_limits import ConnectionLimits


@dataclass(eq=False)
class _Connection:
    has_request: bool = False
    is_aborted: bool = False

    def abort(self) -> None:
        self.is_aborted = True


def _opened(limits: ConnectionLimits, count: int, address: str | None = None) -> list[_Connection]:
    connections = [_Connection() for _ in range(count)]
    for connection in connections:
        limits.open(connection, address)
    return connections


def _aborted(connections: list[_Connection]) -> list[bool]:
    return [connection.is_aborted for connection in connections]


def test_the_oldest_connection_of_a_stranger_ends_for_a_new_one() -> None:
    limits = ConnectionLimits(in_all=10, strangers_per_address=1)
    connections = _opened(limits, 12)
    assert _aborted(connections) == [True] * 2 + [False] * 10


def test_a_connection_with_a_request_under_way_ends_only_if_all_have_one() -> None:
    limits = ConnectionLimits(in_all=10, strangers_per_address=1)
    connections = _opened(limits, 10)
    for connection in connections[:9]:
        connection.has_request = True
    _opened(limits, 1)[0].has_request = True
    assert _aborted(connections) == [False] * 9 + [True]
    _opened(limits, 1)
    assert _aborted(connections) == [True] + [False] * 8 + [True]


def test_a_connection_on_which_somebody_was_admitted_does_not_end_for_strangers() -> None:
    limits = ConnectionLimits(in_all=10, strangers_per_address=1)
    admitted = _opened(limits, 9)
    for connection in admitted:
        limits.admit(connection)
    strangers = _opened(limits, 100)
    assert _aborted(admitted) == [False] * 9
    assert _aborted(strangers) == [True] * 99 + [False]


def test_some_connections_are_left_to_strangers_however_many_callers_are_admitted() -> None:
    limits = ConnectionLimits(in_all=10, strangers_per_address=1)
    connections = _opened(limits, 10)
    for connection in connections:
        limits.admit(connection)
    (new,) = _opened(limits, 1)
    assert _aborted([*connections, new]) == [False] * 9 + [True, False]


def test_a_closed_connection_makes_room() -> None:
    limits = ConnectionLimits(in_all=10, strangers_per_address=1)
    connections = _opened(limits, 10)
    limits.admit(connections[0])
    for connection in connections[:2]:
        limits.close(connection)
        limits.close(connection)
    _opened(limits, 2)
    assert not any(_aborted(connections))


def test_only_strangers_connections_count_for_an_address() -> None:
    limits = ConnectionLimits(in_all=100, strangers_per_address=2)
    connections = [_Connection() for _ in range(5)]
    assert [limits.open(connection, "192.0.2.1") for connection in connections] == [False, False, True, True, True]
    assert not limits.open(_Connection(), "192.0.2.2")
    for connection in connections[:3]:
        limits.admit(connection)
    limits.close(connections[3])
    assert not limits.open(_Connection(), "192.0.2.1")
    assert limits.open(_Connection(), "192.0.2.1")


def test_connections_of_a_trusted_proxy_do_not_count_for_an_address() -> None:
    limits = ConnectionLimits(in_all=100, strangers_per_address=1)
    assert not any(limits.open(_Connection(), None) for _ in range(50))


@pytest.mark.parametrize(
    ("limits", "wanted", "fit", "soft"),
    [("300, 500", 10_000, 244, 500), ("300, 500", 100, 100, 356), ("500, 500", 100, 100, 500), ("10, 10", 100, 1, 10)],
)
def test_the_limit_on_open_files_is_raised_as_far_as_allowed(limits: str, wanted: int, fit: int, soft: int) -> None:
    """A process of its own does it, because a hard limit can never be raised again."""
    program = f"""
import resource
from profile_lookup.serving.connection_limits import open_file_limit
resource.setrlimit(resource.RLIMIT_NOFILE, ({limits}))
print(open_file_limit({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.split() == [str(fit), str(soft)]
