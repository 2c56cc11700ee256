"""Errors that prevent a benchmark from running or from being correct."""


class BenchmarkError(Exception):
    """An error with a message of one line."""


class MissingProgramError(BenchmarkError):
    """A peer cannot be run on this machine; the other contenders can."""
