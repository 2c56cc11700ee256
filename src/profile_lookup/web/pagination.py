"""Lists, page by page: the query parameters, and the opaque tokens that identify a page.

A token is signed for one list and one order, and expires after a week. It contains IDs, names and times, never an
identifier's value.

`PageSize` and `PageToken` are accepted as other names, undocumented: the Go SDK sends these, and without them it would
fetch the first page for ever.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.keyset import DEFAULT_PAGE_SIZE, MAX_TOKEN, Key, Order, Position, fetch_rows
from profile_lookup.errors import PageTokenRefused
from profile_lookup.web.dependencies import SigningSecrets
from profile_lookup.web.signatures import timed_serializer
from profile_lookup.web.wire import MAX_SHORT_PAGE, Meta


@dataclass(frozen=True, slots=True)
class PageRequest:
    size: int
    token: str | None
    order: Order | None
    """None means the order of the token."""


def page_request(
    max_size: int, default_order: Order = "DESC", max_page: int | None = None
) -> Callable[..., Awaitable[PageRequest]]:
    """Return a dependency that reads a list's query parameters.

    `default_order` applies if the request names none. A larger `pageSize` than `max_size` is refused; one that is
    larger than `max_page` gives a page of that size.
    """
    most = "" if max_page is None else f" A page has at most {max_page}."

    async def read(
        request: Request,
        page_size: Annotated[
            int,
            Query(alias="pageSize", ge=1, le=max_size, description=f"The maximum number of items on a page.{most}"),
        ] = DEFAULT_PAGE_SIZE,
        page_token: Annotated[
            str | SkipJsonSchema[None],
            Query(
                alias="pageToken",
                max_length=MAX_TOKEN,
                description="The `nextToken` or `previousToken` of a page of the same list.",
            ),
        ] = None,
        order_by: Annotated[
            Order,
            Query(
                alias="orderBy",
                description="`DESC` means newest first, `ASC` oldest first. "
                "If a request with a `pageToken` leaves it out, the order of the token applies.",
            ),
        ] = default_order,
        other_page_size: Annotated[
            int | SkipJsonSchema[None], Query(alias="PageSize", ge=1, le=max_size, include_in_schema=False)
        ] = None,
        other_page_token: Annotated[
            str | SkipJsonSchema[None], Query(alias="PageToken", max_length=MAX_TOKEN, include_in_schema=False)
        ] = None,
    ) -> PageRequest:
        sent = request.query_params
        size = page_size if other_page_size is None or "pageSize" in sent else other_page_size
        token = other_page_token if page_token is None else page_token
        keeps_order = token is not None and "orderBy" not in sent
        return PageRequest(min(size, max_page or size), token, None if keeps_order else order_by)

    return read


DataPlanePage = Annotated[PageRequest, Depends(page_request(1000))]
ShortPage = Annotated[PageRequest, Depends(page_request(1000, max_page=MAX_SHORT_PAGE))]
ControlPlanePage = Annotated[PageRequest, Depends(page_request(100))]
ResultsPage = Annotated[PageRequest, Depends(page_request(1000, default_order="ASC"))]


MAX_AGE = 7 * 86_400  # seconds


class PageTokens:
    """Signs and verifies tokens. `scope` identifies the list by its name, its store and whatever else selects rows."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = list(secrets)

    def write(self, position: Position, order: Order, *scope: str) -> str:
        token = self._serializer(order, scope).dumps([position.values, position.is_backwards, position.is_inclusive])
        assert isinstance(token, str)
        return token

    def read(self, token: str | None, order: Order | None, *scope: str) -> tuple[Position, Order]:
        """Return the position and the order. If the request names no order, as with the SDKs, it is the token's.

        Raises `PageTokenRefused`.
        """
        if token is None:
            return Position(), order or "DESC"
        orders: tuple[Order, ...] = ("DESC", "ASC") if order is None else (order,)
        for signed in orders:
            with suppress(BadData):
                return Position(*self._serializer(signed, scope).loads(token, max_age=MAX_AGE)), signed
        raise PageTokenRefused

    def _serializer(self, order: Order, scope: Sequence[str]) -> URLSafeTimedSerializer:
        return timed_serializer(self._secrets, "\0".join(("page", order, *scope)))


async def _page_tokens(secrets: SigningSecrets) -> PageTokens:
    return PageTokens(secrets)


PageTokensOfApp = Annotated[PageTokens, Depends(_page_tokens)]


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Row[Any]]
    meta: Meta


async def fetch_page(
    connection: AsyncConnection,
    query: Select[Any],
    key: Key,
    request: PageRequest,
    tokens: PageTokens,
    *scope: str,
) -> Page:
    """Return one page of what `query` selects, in the order of `key`. `scope[0]` is the list's name in the answer.

    Raises `PageTokenRefused`.
    """
    position, order = tokens.read(request.token, request.order, *scope)
    found = await fetch_rows(connection, query, key, position, order, request.size)

    def token(there: Position | None) -> str | None:
        return None if there is None else tokens.write(there, order, *scope)

    meta = Meta(
        key=scope[0],
        page_size=len(found.rows),
        next_token=token(found.following),
        previous_token=token(found.preceding),
    )
    return Page(found.rows, meta)
