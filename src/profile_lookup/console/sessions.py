"""The session of a signed-in person, which is kept in a signed cookie and nowhere else until the person signs out.

The cookie names the credentials by their SID and holds no secret. Its `proof` is a signature of the secret's digest: a
session ends when the secret is revoked or replaced, because no accepted credentials fit the proof any more. Signing out
ends it also for whoever has copied the cookie (`accounts/ended_sessions.py`).
"""

import hashlib
import secrets as random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, Signer

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.clock import CLOCK
from profile_lookup.web.signatures import timed_serializer

MAX_IDLE = timedelta(minutes=30)
MAX_AGE = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Session:
    """`began` is in Unix seconds. `store_id` is the store that was used last, and `notice` what the next page says."""

    id: str
    sid: str
    proof: str
    began: int
    store_id: str = ""
    notice: str = ""

    @property
    def expires_at(self) -> datetime:
        """The time from which the session is refused, however often it was used."""
        return datetime.fromtimestamp(self.began, UTC) + MAX_AGE


class Sessions:
    """Makes sessions, writes them as cookies and reads them. `secrets` are the secrets by which the service signs."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._serializer = timed_serializer(secrets, "console session")
        self._proofs = _signer(secrets, "console proof")
        self._tokens = _signer(secrets, "console form")

    def begin(self, credentials: Credentials) -> Session:
        return Session(new_id(), credentials.sid, self._proof_of(credentials), int(CLOCK.now().timestamp()))

    def to_cookie(self, session: Session) -> str:
        cookie: str | bytes = self._serializer.dumps(asdict(session))
        assert isinstance(cookie, str)
        return cookie

    def from_cookie(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; None if it is not one, was idle for too long, or is too old."""
        try:
            content: dict[str, Any] = self._serializer.loads(cookie or "", max_age=int(MAX_IDLE.total_seconds()))
            session = Session(**content)
        except (BadData, TypeError):  # another version of this service may have written it
            return None
        return session if CLOCK.now() < session.expires_at else None

    def credentials_of(self, session: Session, accepted: Iterable[Credentials]) -> Credentials | None:
        """Return those of the accepted credentials with which the session began."""
        fitting = (each for each in accepted if self._proofs.verify_signature(each.secret_sha256, session.proof))
        return next(fitting, None)

    def form_token(self, session_id: str) -> str:
        """Return the token that each form of this session must send: no other site knows it."""
        return self._tokens.get_signature(session_id).decode()

    def is_form_token(self, session_id: str, token: str) -> bool:
        return self._tokens.verify_signature(session_id.encode(), token)

    def _proof_of(self, credentials: Credentials) -> str:
        return self._proofs.get_signature(credentials.secret_sha256).decode()


def new_id() -> str:
    return random.token_urlsafe(16)


def _signer(secrets: Sequence[bytes], salt: str) -> Signer:
    return Signer(list(secrets), salt=salt, digest_method=hashlib.sha256)
