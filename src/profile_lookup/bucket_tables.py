"""All token buckets of a service, in memory of one process, or in memory that its processes share."""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory

from profile_lookup.errors import OperatorError
from profile_lookup.token_buckets import TABLE_SIZE, TokenBuckets

MEMORY_NAME = "_PROFILE_LOOKUP_BUCKETS_MEMORY"
"""The environment variable by which the processes of a service learn the name of their shared memory.

It does not begin as settings do, so that no process warns of a setting that does not exist.
"""

_SIZE = 2 * TABLE_SIZE  # bytes


class BucketTables:
    """`callers` and `addresses` are tables of their own, so that strangers take no place from callers."""

    def __init__(self, memory_name: str | None = None) -> None:
        """Open the shared memory with this name; without a name, use memory of this process alone."""
        self._shared = None if memory_name is None else SharedMemory(memory_name)
        memory = memoryview(bytearray(_SIZE)) if self._shared is None else self._shared.buf
        assert memory is not None  # it is open
        self.callers = TokenBuckets(memory[:TABLE_SIZE])
        self.addresses = TokenBuckets(memory[TABLE_SIZE:_SIZE])  # the system may have made the memory larger

    def clear(self) -> None:
        """Make all buckets full."""
        self.callers.clear()
        self.addresses.clear()

    def close(self) -> None:
        self.callers.close()
        self.addresses.close()
        if self._shared is not None:
            self._shared.close()


@contextmanager
def shared_memory() -> Iterator[str]:
    """Yield the name of memory for `BucketTables`, which exists while the block runs.

    It does not outlive this process, even if that is killed: Python's resource tracker removes it. Raises
    `OperatorError` if the system has no shared memory.
    """
    try:
        memory = SharedMemory(create=True, size=_SIZE)
    except OSError as error:
        raise OperatorError(f"Cannot share memory between processes: {error.strerror}") from None
    try:
        yield memory.name
    finally:
        memory.close()
        memory.unlink()
