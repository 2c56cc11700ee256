"""Where the pages are: their path, and the tables of links. A new page adds its link to one of them."""

from typing import NamedTuple

from profile_lookup.accounts.grants import Scope

PREFIX = "/console"
"""The path of the first page, below which all others are."""


class Link(NamedTuple):
    """`path` follows `/console/stores/{storeId}`, or `/console` if the page is not about one store.

    The link is shown only to callers with the scope `needed`, or with `alternative`. It is marked as current on pages
    whose template sets `section` to its title.
    """

    title: str
    path: str
    needed: Scope
    is_of_store: bool = True
    alternative: Scope | None = None


LINKS = (
    Link("Look up", "", "lookup"),
    Link("Suspects", "suspects", "read"),
    Link("Imports", "imports", "read"),
    Link("Rules", "rules/settings", "manage"),
    Link("Operations", "operations", "write", is_of_store=False, alternative="manage"),
    Link("Keys", "keys", "manage", is_of_store=False),
)
"""The links at the top of each page, in this order."""

PERSON_LINKS = (
    Link("Why one person?", "why", "read"),
    Link("Kept apart", "separations", "read"),
    Link("Data as a file", "data", "read"),
    Link("Erase", "erase", "write"),
)
"""The links below a person's name. Their paths follow `/console/stores/{storeId}/profiles/{profileId}`."""
