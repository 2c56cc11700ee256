"""Lists, page by page: opaque tokens over keyset pagination.

A page is told by the key of the row it begins after, or ends before, not by a number: rows that come and go elsewhere
move nothing. A token is signed, for one list and one order; it holds IDs, names and times, never an identifier's value.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from itsdangerous import BadData, URLSafeSerializer
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import ColumnElement, Row, Select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.errors import PageTokenRefused
from profile_lookup.web.signing import SigningSecret
from profile_lookup.web.wire import AnswerModel

Order = Literal["ASC", "DESC"]

DEFAULT_PAGE_SIZE = 50
MAX_TOKEN = 4096  # characters

Token = Annotated[str, Field(max_length=MAX_TOKEN)]


class Meta(AnswerModel):
    """What every list has beside its items."""

    key: str = Field(max_length=64, description="The name of the property with the items.", examples=["profiles"])
    page_size: int = Field(examples=[DEFAULT_PAGE_SIZE])
    next_token: Token | SkipJsonSchema[None] = Field(
        default=None, description="The `pageToken` of the next page, if there is one."
    )
    previous_token: Token | SkipJsonSchema[None] = Field(
        default=None, description="The `pageToken` of the page before, if there is one."
    )


@dataclass(frozen=True, slots=True)
class PageRequest:
    size: int
    token: str | None
    order: Order | None
    """None: that of the token."""


def page_request(max_size: int, first: Order = "DESC") -> Callable[..., Awaitable[PageRequest]]:
    """The query parameters of a list, as a dependency. `first`: its order, unless the request asks for another."""

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


@dataclass(frozen=True, slots=True)
class Key:
    """The order of a list: columns that together are unique, with a total order."""

    columns: tuple[ColumnElement[Any], ...]

    def of(self, row: Row[Any]) -> list[str]:
        return [_written(row._mapping[column]) for column in self.columns]  # noqa: SLF001 -- the public way to it

    def read(self, values: Sequence[str]) -> list[Any]:
        return [_read(value, column) for value, column in zip(values, self.columns, strict=True)]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page is: after (or before) a row, or with it; at the very start without any."""

    values: list[str] | None = None
    is_backwards: bool = False
    is_inclusive: bool = False


class PageTokens:
    """Signs and reads tokens. `scope` says of which list: its name, store and whatever selects its rows."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, position: Position, order: Order, *scope: str) -> str:
        token = self._serializer(order, scope).dumps([position.values, position.is_backwards, position.is_inclusive])
        assert isinstance(token, str)
        return token

    def read(self, token: str | None, order: Order | None, *scope: str) -> tuple[Position, Order]:
        """The order is the token's if the request asks for none: the SDKs do not repeat it everywhere.

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
    question: Select[Any],
    key: Key,
    request: PageRequest,
    tokens: PageTokens,
    *scope: str,
) -> Page:
    """One page of what `question` selects, in the order of `key`; `scope[0]` is the name of the list on the wire.

    Raises `PageTokenRefused`.
    """
    position, order = tokens.read(request.token, request.order, *scope)
    asked = _at(question, key, position, order).limit(request.size + 1)
    found = (await connection.execute(asked)).all()
    rows, has_more = found[: request.size], len(found) > request.size
    if position.is_backwards:
        rows = rows[::-1]

    def token(*, is_there: bool, is_backwards: bool) -> str | None:
        if not is_there:
            return None
        if rows:
            there = Position(key.of(rows[0 if is_backwards else -1]), is_backwards)
        else:  # what was here is gone: the neighbour begins at the very row that this page was after
            there = Position(position.values, is_backwards, is_inclusive=True)
        return tokens.write(there, order, *scope)

    has_token = position.values is not None
    return Page(
        rows,
        Meta(
            key=scope[0],
            page_size=request.size,
            next_token=token(is_there=has_token if position.is_backwards else has_more, is_backwards=False),
            previous_token=token(is_there=has_more if position.is_backwards else has_token, is_backwards=True),
        ),
    )


def _at(question: Select[Any], key: Key, position: Position, order: Order) -> Select[Any]:
    is_ascending = (order == "ASC") != position.is_backwards
    if position.values is not None:
        here = tuple_(*key.columns)
        there = tuple_(*key.read(position.values), types=[column.type for column in key.columns])
        if position.is_inclusive:
            question = question.where(here >= there if is_ascending else here <= there)
        else:
            question = question.where(here > there if is_ascending else here < there)
    return question.order_by(*[column.asc() if is_ascending else column.desc() for column in key.columns])


def _written(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _read(value: str, column: ColumnElement[Any]) -> object:
    kind = column.type.python_type
    return datetime.fromisoformat(value) if kind is datetime else kind(value)
