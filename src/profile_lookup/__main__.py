"""The first moments of the command."""

import signal
import sys

from profile_lookup.garbage_collection import collector_paused


def main() -> None:
    """Handle SIGTERM before the imports: the kernel would drop it meanwhile if this is process 1 of a container."""
    signal.signal(signal.SIGTERM, _exit)
    try:
        with collector_paused():
            from profile_lookup.cli import main as run  # noqa: PLC0415 -- see above
        run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _exit(number: int, _frame: object) -> None:
    """Raise an exception, so that every `finally` on the way out is run."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
