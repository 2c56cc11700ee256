"""The garbage collector of processes that do one thing for long."""

import gc

THRESHOLD = 10_000  # containers made since the last look; Python's 700 takes 7 % of a Lookup, 20 % of an import


def collect_seldom() -> None:
    """From now on: what is there stays, and the collector need not look at it.

    Nor need it look so often, since requests and rows leave next to nothing behind that needs a collector.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(THRESHOLD)
