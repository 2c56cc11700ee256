from profile_lookup.errors import OperatorError


class CommandError(OperatorError):
    """A command's arguments, or what they find in the database, do not allow what it should do."""
