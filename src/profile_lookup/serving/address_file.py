"""A file in the data directory with the address that a service answers on, for the other commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from profile_lookup.files import is_held, open_private, try_lock

_NAME = "address"


@contextmanager
def address_recorded(data_dir: Path, base_url: str) -> Iterator[None]:
    """Let `recorded_address` find the address while the block runs, unless another service has recorded its own."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with open_private(data_dir / _NAME) as file:
        if try_lock(file, shared=False):
            file.truncate(0)
            file.write(base_url.encode())
            file.flush()
        yield


def recorded_address(data_dir: Path) -> str | None:
    """Return the address of a service that runs now with this data directory."""
    path = data_dir / _NAME
    return (path.read_text() or None) if is_held(path) else None
