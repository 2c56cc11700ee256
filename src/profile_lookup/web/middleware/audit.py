"""Records the requests that the application serves. Lookups below ASGI are recorded by `serving/lookup_protocol.py`."""

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from profile_lookup.audit.profile_ids import profile_ids_in
from profile_lookup.web.body import headers_of
from profile_lookup.web.connection import ADMITTING_PATHS, CALLER, SHOWN_PROFILES, VERIFIED
from profile_lookup.web.dependencies import services_of
from profile_lookup.web.middleware.request_id import operation_of
from profile_lookup.web.openapi import CANONICAL_PROFILE_ID

_ID = re.compile("mem_[a-z]+_[0-7][0-9a-hjkmnp-tv-z]{25}|SK[0-9a-f]{32}")
"""What may be recorded of a path. Anything else in it may be a value."""
_CANONICAL = CANONICAL_PROFILE_ID.lower().encode()
_UNAUTHENTICATED = 401
_CRASHED = 500


class AuditMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_recorded = scope["type"] == "http" and scope["path"].startswith(ADMITTING_PATHS)
        audit = services_of(scope).audit if is_recorded else None
        if audit is None or not audit.chooses():
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            await self._app(scope, receive, answer.send)
        finally:
            audit.write(_record(scope, answer))


class _Answer:
    """Passes an answer on, and keeps its status and its profile IDs for the record."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._body: list[bytes] = []
        self.status = _CRASHED  # unless an answer begins
        self._canonical: list[str] = []
        """The canonical profile, if the request was for a profile that has merged into it."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            canonical = dict(message.get("headers", ())).get(_CANONICAL)
            self._canonical = [] if canonical is None else [canonical.decode()]
        elif message["type"] == "http.response.body":
            self._body.append(message.get("body", b""))
        await self._send(message)

    def profile_ids(self) -> list[str]:
        return [*self._canonical, *profile_ids_in(b"".join(self._body))]


def _record(scope: Scope, answer: _Answer) -> Mapping[str, object]:
    """Return who called which operation, on what, and which profiles came out or changed."""
    in_path = _ids_in(scope.get("path_params", {}))
    addressed = [in_path["profileId"]] if "profileId" in in_path else []
    return {
        "requestId": scope["state"]["request_id"],
        "caller": _caller(scope, answer.status),
        "operation": operation_of(scope),
        "status": answer.status,
        **in_path,
        "profiles": list(dict.fromkeys([*addressed, *answer.profile_ids(), *scope["state"].get(SHOWN_PROFILES, ())])),
    }


def _ids_in(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if isinstance(value, str) and _ID.fullmatch(value)}


def _caller(scope: Scope, status: int) -> str | None:
    """Return the SID of a caller with right credentials. What others present as a SID may be anything, also a value."""
    if not scope["state"].get(VERIFIED) or status == _UNAUTHENTICATED:
        return None
    if CALLER in scope["state"]:
        sid: str = scope["state"][CALLER]
        return sid
    credentials = b64decode(headers_of(scope)[b"authorization"].partition(b" ")[2])
    return credentials.partition(b":")[0].decode()
