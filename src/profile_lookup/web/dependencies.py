"""What endpoints of several features depend on: the process's services, a transaction, and parts of the request."""

from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Header, Request
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.pool import Database
from profile_lookup.settings import Settings
from profile_lookup.web import urls

if TYPE_CHECKING:
    from profile_lookup.services import Services


def services_of(scope: Mapping[str, Any]) -> "Services":
    """Return the services of the process, from the ASGI scope of a request."""
    services: Services = scope["app"].state.services
    return services


async def _settings(request: Request) -> Settings:
    return services_of(request.scope).settings


async def _database(request: Request) -> Database:
    return services_of(request.scope).database


SettingsOfApp = Annotated[Settings, Depends(_settings)]
DatabaseOfApp = Annotated[Database, Depends(_database)]


async def _transaction(database: DatabaseOfApp) -> AsyncGenerator[AsyncConnection]:
    async with database.transaction() as connection:
        yield connection


async def _snapshot(database: DatabaseOfApp) -> AsyncGenerator[AsyncConnection]:
    async with database.snapshot() as connection:
        yield connection


Transaction = Annotated[AsyncConnection, Depends(_transaction, scope="function")]
"""One request, one transaction. Scope `function`: it is committed before the answer is sent, not after."""

Snapshot = Annotated[AsyncConnection, Depends(_snapshot, scope="function")]
"""One request, one moment."""


async def _signing_secret(request: Request) -> bytes:
    return await services_of(request.scope).signing_key.secret()


SigningSecret = Annotated[bytes, Depends(_signing_secret)]


def base_url_of(request: Request) -> str:
    """Return `PUBLIC_URL`, or the request's own origin; without a final slash. Raises `RequestRefused`."""
    return urls.base_url(services_of(request.scope).settings.public_url, str(request.base_url))


async def _base_url(request: Request) -> str:
    return base_url_of(request)


BaseUrl = Annotated[str, Depends(_base_url)]

IfMatch = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="If-Match",
        max_length=100,
        description="The ETag of the state that is to be changed; if the resource has changed since, 412.",
    ),
]
