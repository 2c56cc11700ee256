"""Prints progress to standard error, so that the table on standard output can be piped."""

import sys


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
