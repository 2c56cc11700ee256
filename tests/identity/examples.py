"""How many random examples the properties of this package are tried with."""

import os

ALL_EXAMPLES = "TEST_ALL_EXAMPLES"
"""The environment variable that the option `--slow` sets, also for the processes of a run."""


def examples(number: int) -> int:
    """Return this number with the option `--slow`, and a third of it without, so that the gate stays short."""
    return number if ALL_EXAMPLES in os.environ else -(-number // 3)
