"""Signers whose time comes from the clock that a server for tests moves."""

import hashlib
from collections.abc import Sequence

from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from profile_lookup.clock import CLOCK


class ClockSigner(TimestampSigner):
    """Signs with the time of `CLOCK`."""

    def get_timestamp(self) -> int:
        return int(CLOCK.now().timestamp())


def timed_serializer(secrets: Sequence[bytes], salt: str) -> URLSafeTimedSerializer:
    """Return what signs and verifies texts of one purpose, the `salt`. All secrets verify, and the last one signs."""
    return URLSafeTimedSerializer(
        list(secrets), salt=salt, signer=ClockSigner, signer_kwargs={"digest_method": hashlib.sha256}
    )
