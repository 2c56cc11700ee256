"""Why an archive cannot be restored."""


class RestoreRefused(Exception):
    """What is wrong with the archive, and in which line, or with the store. The message never holds a value."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
