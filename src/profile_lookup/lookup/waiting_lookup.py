"""A lookup of a request, from its arrival to its answer."""

from collections.abc import Callable

from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.lookup.coalesced_statement import Caller, Found

IsGone = Callable[[], bool]
"""Returns whether the client of a request has gone."""


Settle = Callable[[Found | Exception | None], None]
"""Takes the outcome of a lookup: None if the caller may not look up, and the error if there is one."""


class WaitingLookup:
    """A lookup that waits for its statement, or for the answer to it."""

    __slots__ = ("arrived_at", "caller", "identifier", "is_gone", "settle")

    def __init__(
        self, caller: Caller, identifier: NormalizedIdentifier, is_gone: IsGone, settle: Settle, arrived_at: float
    ) -> None:
        self.caller = caller
        self.identifier = identifier
        self.is_gone = is_gone
        self.settle = settle
        self.arrived_at = arrived_at
