"""What can keep a benchmark from being run, or from being right."""


class BenchmarkError(Exception):
    """One line for a person."""


class MissingProgramError(BenchmarkError):
    """A peer cannot be run here; the others can."""
