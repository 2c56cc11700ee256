"""What a person who waits wants to know; on standard error, so that the table can be piped."""

import sys


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
