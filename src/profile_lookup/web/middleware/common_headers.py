"""Headers that all answers have. They are constants, so that answers of hot routes get them without any work."""

Header = tuple[bytes, bytes]

_NO_SNIFFING: Header = (b"x-content-type-options", b"nosniff")
"""Forbids browsers to guess another media type: they could take an answer for a page or a script."""

_PUBLIC = ("/docs", "/assets/")

OF_PAGES = (_NO_SNIFFING,)
"""Pages of the documentation set further headers themselves (`web/docs/routes.py`). Browsers may cache them, and the
files of the console."""

OF_DATA = (_NO_SNIFFING, (b"cache-control", b"no-store"))
"""An answer may hold personal data or a secret, and errors are not worth caching either."""


def common_headers(path: str) -> tuple[Header, ...]:
    """Return the headers of every answer to a request for this path."""
    return OF_PAGES if path.startswith(_PUBLIC) else OF_DATA
