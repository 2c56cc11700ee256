class CommandError(Exception):
    """What was asked for cannot be done. One line for a person."""
