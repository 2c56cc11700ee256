"""The first moments of the command."""

import gc
import signal
import sys


def main() -> None:
    """Heed SIGTERM before all the imports: as process 1 of a container, the kernel would drop it meanwhile."""
    signal.signal(signal.SIGTERM, _end)
    try:
        gc.disable()  # what is loaded stays: looking for garbage in it takes a fifth of the time
        from profile_lookup.cli import main as run  # noqa: PLC0415 -- see above

        gc.freeze()
        gc.enable()
        run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _end(number: int, _frame: object) -> None:
    """An exception, so that every `finally` on the way out is run."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
