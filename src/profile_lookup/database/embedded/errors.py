"""The error of the embedded PostgreSQL."""

from profile_lookup.errors import OperatorError


class EmbeddedPostgresError(OperatorError):
    """One line for a person: what is wrong, and what to do."""
