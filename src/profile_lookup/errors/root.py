"""What all errors are."""


class ProfileLookupError(Exception):
    """The root of all errors that this service raises on purpose."""


class OperatorError(Exception):
    """Why a command cannot be carried out, as one line for its operator; it never shows a secret."""
