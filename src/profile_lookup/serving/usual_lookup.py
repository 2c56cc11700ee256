"""Recognizes the head of a usual Lookup, which most requests have, and writes the head of its answer.

A head is usual only if nothing of it can be understood in two ways, and if nothing of it affects how the request is
served. So all HTTP parsers understand it as this one does: it is a subset of what uvicorn's accepts. Whatever is not
usual is left to uvicorn.
"""

import re
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from profile_lookup.accounts.credentials import Credentials, parse_basic_cached
from profile_lookup.audit.profile_ids import profile_ids_in
from profile_lookup.errors import Unauthenticated
from profile_lookup.metrics.catalogue import LOOKUP
from profile_lookup.web.body import is_json
from profile_lookup.web.client_address import FORWARDED_FOR
from profile_lookup.web.hot_route import json_headers
from profile_lookup.web.middleware.allowed_hosts import AllowedHosts
from profile_lookup.web.middleware.common_headers import Header
from profile_lookup.web.middleware.request_id import sent_request_id, with_request_id

START = b"POST /v1/Stores/"
END_OF_HEAD = b"\r\n\r\n"

_REQUEST_LINE = re.compile(rb"POST /v1/Stores/([0-9a-z_]{1,64})/Profiles/Lookup HTTP/1\.1\r\n")
# A value has neither spaces at its ends nor characters other than those of ASCII: parsers differ about these.
_HEADER = re.compile(rb"([A-Za-z0-9_-]{1,64}): ?([!-~](?:[ -~]*[!-~])?)\r\n")
_LENGTH = re.compile(rb"[1-9][0-9]{0,3}")  # no limit on bodies, nor on the number of their values, is below 10,000
_UNUSUAL = frozenset(
    (b"content-encoding", b"expect", b"proxy-connection", b"trailer", b"transfer-encoding", b"upgrade")
)


class UsualHead(NamedTuple):
    """`request_id` is the ID that the client chose for its request, if it chose one."""

    store_id: str
    credentials: Credentials
    body_size: int
    request_id: str | None
    is_forwarded: bool


def parse_usual_head(head: bytes, cache: MutableMapping[str, Any], hosts: AllowedHosts | None) -> UsualHead | None:
    """Return the head of a usual Lookup, or None if it is not usual. `cache` is that of the connection.

    `head` ends with an empty line. `hosts` are those that requests may name, if not all.
    """
    line = _REQUEST_LINE.match(head)
    headers = None if line is None else _headers_in(head, line.end())
    if line is None or headers is None or not _is_usual(headers, hosts):
        return None
    try:
        credentials = parse_basic_cached(cache, headers.get(b"authorization", b""))
    except Unauthenticated:
        return None
    return UsualHead(
        line[1].decode(),
        credentials,
        int(headers[b"content-length"]),
        sent_request_id(headers),
        FORWARDED_FOR in headers,
    )


def _headers_in(head: bytes, start: int) -> dict[bytes, bytes] | None:
    """Return the headers, or None if one of them is not usual, or is repeated."""
    headers: dict[bytes, bytes] = {}
    end = len(head) - 2  # before the empty line
    count = 0
    while start < end:
        header = _HEADER.match(head, start, end)
        if header is None:
            return None
        headers[header[1].lower()] = header[2]
        start = header.end()
        count += 1
    return headers if len(headers) == count else None


def _is_usual(headers: dict[bytes, bytes], hosts: AllowedHosts | None) -> bool:
    return (
        _LENGTH.fullmatch(headers.get(b"content-length", b"")) is not None
        and is_json(headers.get(b"content-type", b"").decode())
        and headers.get(b"connection", b"keep-alive").lower() == b"keep-alive"
        and _UNUSUAL.isdisjoint(headers)
        and (hosts is None or hosts.include(headers.get(b"host", b"")))
    )


@lru_cache(maxsize=4)
def answer_template(server_headers: Sequence[Header]) -> bytes:
    """Return the template of a successful answer. It takes the length of the body, twice the request ID, and the body.

    `server_headers` are those that the server adds to all answers, such as the date.
    """
    constant = [(name, value.replace(b"%", b"%%")) for name, value in server_headers]
    headers = [*constant, *with_request_id(json_headers(b"%d"), "%b")]
    return STATUS_LINE[200] + b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n%b"


def lookup_record(head: UsualHead, request_id: str, body: bytes) -> dict[str, object]:
    """Return the record of a successful Lookup for the audit log."""
    return {
        "requestId": request_id,
        "caller": head.credentials.sid,
        "operation": LOOKUP,
        "status": 200,
        "storeId": head.store_id,
        "profiles": profile_ids_in(body),
    }
