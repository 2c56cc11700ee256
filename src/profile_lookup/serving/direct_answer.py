"""Answers of the protocol itself, to requests that reach no application and no middleware."""

from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from profile_lookup.errors import ProfileLookupError
from profile_lookup.metrics.catalogue import CONNECTION_REFUSALS
from profile_lookup.serving.listener import address
from profile_lookup.settings import Settings
from profile_lookup.web.errors import answer_with
from profile_lookup.web.middleware.request_id import new_request_id, with_request_id
from profile_lookup.web.urls import error_pages


def direct_answer(
    refusal: ProfileLookupError,
    settings: Settings,
    server: tuple[str, int | None] | None,
    headers: Iterable[tuple[bytes, bytes]],
) -> bytes:
    """Return an answer with the contract's error body, after which the connection ends.

    The request cannot name a host for the address of the error's page, so `server`, the connection's address, does.
    """
    host, port = server or ("127.0.0.1", None)
    base_url = settings.public_url or address(host, port or settings.port)
    answer = answer_with(refusal, error_pages(base_url, settings.error_docs))
    CONNECTION_REFUSALS.add(str(answer.status_code))
    all_headers = [*headers, *with_request_id(answer.raw_headers, new_request_id()), (b"connection", b"close")]
    head = b"".join(name + b": " + value + b"\r\n" for name, value in all_headers)
    return STATUS_LINE[answer.status_code] + head + b"\r\n" + bytes(answer.body)
