"""Lists, page by page: the query parameters, and the opaque tokens that name a page.

A token is signed for one list and one order. It holds IDs, names and times, never an identifier's value.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from itsdangerous import BadData, URLSafeSerializer
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.keyset import DEFAULT_PAGE_SIZE, MAX_TOKEN, Key, Order, Position, fetch_rows
from profile_lookup.errors import PageTokenRefused
from profile_lookup.web.dependencies import SigningSecret
from profile_lookup.web.wire import Meta


@dataclass(frozen=True, slots=True)
class PageRequest:
    size: int
    token: str | None
    order: Order | None
    """None means the order of the token."""


def page_request(max_size: int, first: Order = "DESC") -> Callable[..., Awaitable[PageRequest]]:
    """Return a dependency that reads a list's query parameters. `first` is the order if the request names none."""

    async def read(
        request: Request,
        page_size: Annotated[
            int, Query(alias="pageSize", ge=1, le=max_size, description="The most items of a page.")
        ] = DEFAULT_PAGE_SIZE,
        page_token: Annotated[
            str | SkipJsonSchema[None],
            Query(
                alias="pageToken",
                max_length=MAX_TOKEN,
                description="A `nextToken` or `previousToken` of the same list.",
            ),
        ] = None,
        order_by: Annotated[
            Order,
            Query(
                alias="orderBy",
                description="`DESC` is the newest first, `ASC` the oldest. With a `pageToken`, its order goes on.",
            ),
        ] = first,
    ) -> PageRequest:
        goes_on = page_token is not None and "orderBy" not in request.query_params
        return PageRequest(page_size, page_token, None if goes_on else order_by)

    return read


DataPlanePage = Annotated[PageRequest, Depends(page_request(1000))]
ControlPlanePage = Annotated[PageRequest, Depends(page_request(100))]
ResultsPage = Annotated[PageRequest, Depends(page_request(1000, first="ASC"))]


class PageTokens:
    """Signs and reads tokens. `scope` names the list: its name, its store and whatever else selects its rows."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, position: Position, order: Order, *scope: str) -> str:
        token = self._serializer(order, scope).dumps([position.values, position.is_backwards, position.is_inclusive])
        assert isinstance(token, str)
        return token

    def read(self, token: str | None, order: Order | None, *scope: str) -> tuple[Position, Order]:
        """Return the position and the order, which is the token's if the request names none: SDKs do not repeat it.

        Raises `PageTokenRefused`.
        """
        if token is None:
            return Position(), order or "DESC"
        orders: tuple[Order, ...] = ("DESC", "ASC") if order is None else (order,)
        for signed in orders:
            with suppress(BadData):
                return Position(*self._serializer(signed, scope).loads(token)), signed
        raise PageTokenRefused

    def _serializer(self, order: Order, scope: Sequence[str]) -> URLSafeSerializer:
        salt = "\0".join(("page", order, *scope))
        return URLSafeSerializer(self._secret, salt=salt, signer_kwargs={"digest_method": hashlib.sha256})


async def _page_tokens(secret: SigningSecret) -> PageTokens:
    return PageTokens(secret)


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
    """Return one page of what `query` selects, in the order of `key`. `scope[0]` is the list's name on the wire.

    Raises `PageTokenRefused`.
    """
    position, order = tokens.read(request.token, request.order, *scope)
    found = await fetch_rows(connection, query, key, position, order, request.size)

    def token(there: Position | None) -> str | None:
        return None if there is None else tokens.write(there, order, *scope)

    meta = Meta(
        key=scope[0],
        page_size=request.size,
        next_token=token(found.following),
        previous_token=token(found.preceding),
    )
    return Page(found.rows, meta)
