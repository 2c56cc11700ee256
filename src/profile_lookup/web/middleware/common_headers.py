"""Headers that all answers have. They are constants, since hot routes have them, too."""

Header = tuple[bytes, bytes]

_IS_WHAT_IT_SAYS: Header = (b"x-content-type-options", b"nosniff")
"""A browser must not guess another type, and so take an answer for a page or a script."""

_DOCS = "/docs"

OF_PAGES = (_IS_WHAT_IT_SAYS,)
"""The pages set further headers themselves (`docs/routes.py`), and browsers may cache them."""

OF_DATA = (_IS_WHAT_IT_SAYS, (b"cache-control", b"no-store"))
"""An answer may hold personal data or a secret, and errors are not worth caching either."""


def common_headers(path: str) -> tuple[Header, ...]:
    """Return the headers of every answer to a request for this path."""
    return OF_PAGES if path.startswith(_DOCS) else OF_DATA
