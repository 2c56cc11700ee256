"""The tokens that name a position in a store's feed. Unlike those of pages, they never expire."""

import hashlib
from collections.abc import Sequence
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

from profile_lookup.errors import FeedTokenRefused
from profile_lookup.history.feed_order import Position
from profile_lookup.history.feed_pages import START


class FeedTokens:
    """Signs and verifies the tokens of one store."""

    def __init__(self, secrets: Sequence[bytes], store_id: UUID) -> None:
        self._serializer = URLSafeSerializer(
            list(secrets), salt=f"feed\0{store_id}", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def write(self, position: Position) -> str:
        token = self._serializer.dumps([*position])
        assert isinstance(token, str)
        return token

    def read(self, token: str | None) -> Position:
        """Return the position of a token, or the beginning of the feed. Raises `FeedTokenRefused`."""
        if token is None:
            return START
        try:
            return Position(*self._serializer.loads(token))
        except BadData:
            raise FeedTokenRefused from None
