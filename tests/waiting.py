"""Waits for what happens in other threads and processes."""

import time
from collections.abc import Callable

from tests.conftest import PATIENCE


def eventually(condition: Callable[[], object]) -> None:
    """Return as soon as the condition is true. Fail if it does not become true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
