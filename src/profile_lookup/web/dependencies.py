"""Dependencies that several features use: the process's services, a transaction, and parts of the request."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.dependencies.models import Dependant
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import HTTPConnection
from starlette.types import Scope

from profile_lookup.database.pool import Database
from profile_lookup.errors import RequestRefused
from profile_lookup.overload import LoadLimits
from profile_lookup.settings import Settings
from profile_lookup.web import urls
from profile_lookup.web.client_address import proxy_headers

if TYPE_CHECKING:
    from profile_lookup.services import Services


def services_of(scope: Mapping[str, Any]) -> "Services":
    """Return the services of the process, from the ASGI scope of a request."""
    services: Services = scope["app"].state.services
    return services


_READMIT = "profile_lookup.readmit"  # the key in a request's scope


def readmit_after_body(scope: MutableMapping[str, Any], admit: Callable[[], Awaitable[object]]) -> None:
    """Have the caller admitted again, by `admit`, if the body then takes long to arrive."""
    scope[_READMIT] = admit


async def readmit(scope: Mapping[str, Any]) -> None:
    """Admit the caller again. Raises what `admit` raises if the caller has lost access since."""
    admit = scope.get(_READMIT)
    if admit is not None:
        await admit()


async def _settings(request: Request) -> Settings:
    return services_of(request.scope).settings


async def _database(request: Request) -> Database:
    return services_of(request.scope).database


async def _load_limits(request: Request) -> LoadLimits:
    return services_of(request.scope).load_limits


SettingsOfApp = Annotated[Settings, Depends(_settings)]
LoadLimitsOfApp = Annotated[LoadLimits, Depends(_load_limits)]
DatabaseOfApp = Annotated[Database, Depends(_database)]


async def _transaction(database: DatabaseOfApp) -> AsyncGenerator[AsyncConnection]:
    async with database.transaction() as connection:
        yield connection


async def _snapshot(database: DatabaseOfApp) -> AsyncGenerator[AsyncConnection]:
    async with database.snapshot() as connection:
        yield connection


Transaction = Annotated[AsyncConnection, Depends(_transaction, scope="function")]
"""One transaction for the request. Its scope is `function`: it is committed before the answer is sent, not after."""

Snapshot = Annotated[AsyncConnection, Depends(_snapshot, scope="function")]
"""One read-only transaction for the request. All its queries see the same moment."""


async def _signing_secrets(request: Request) -> Sequence[bytes]:
    return await services_of(request.scope).signing_key.secrets()


SigningSecrets = Annotated[Sequence[bytes], Depends(_signing_secrets)]
"""The secrets that sign page tokens and upload addresses; the last one signs."""


def query_names(dependant: Dependant) -> dict[str, bool]:
    """Return the names of all query parameters of a route, and whether each is documented."""
    names = {each.alias: bool(getattr(each.field_info, "include_in_schema", True)) for each in dependant.query_params}
    for dependency in dependant.dependencies:
        names |= query_names(dependency)
    return names


async def refuse_unknown_query(request: Request) -> None:
    """Raise `RequestRefused` if the request has a query parameter that its route does not know.

    Operations of ours need it: a misspelt parameter must not be ignored as if it filtered nothing. So do those of the
    contract that destroy what a parameter names.
    """
    known: dict[str, bool] = request.scope["route"].query_names
    if not known.keys() >= request.query_params.keys():
        documented = ", ".join(name for name, is_documented in known.items() if is_documented)
        raise RequestRefused(f"query: expected {documented and 'only '}{documented or 'no parameters'}")


KnownQuery = Annotated[None, Depends(refuse_unknown_query)]
"""Refuses unknown query parameters of an operation that is the contract's. It stands after what admits the caller."""


async def base_url_of(scope: Scope) -> str:
    """Return `PUBLIC_URL`, or else the request's own origin, without a final slash. Raises `RequestRefused`."""
    settings = services_of(scope).settings
    if settings.public_url is not None:
        return settings.public_url
    return urls.base_url(None, str(HTTPConnection(await _seen_by_proxy(scope)).base_url))


async def _seen_by_proxy(scope: Scope) -> Scope:
    """Return the scope with the scheme and the client that a trusted proxy forwards, if the request came through one.

    Only answers that need them read these headers, because most do not.
    """
    seen = dict(scope)
    await proxy_headers(services_of(scope).settings.trusted_proxies)(seen, None, None)  # type: ignore[arg-type]
    return seen


async def _base_url(request: Request) -> str:
    return await base_url_of(request.scope)


BaseUrl = Annotated[str, Depends(_base_url)]


async def error_pages_of(scope: Scope) -> str:
    """Return the address of the pages that explain error codes.

    It is only a path if the request's own origin is unusable.
    """
    try:
        base_url = await base_url_of(scope)
    except RequestRefused:
        base_url = ""
    return urls.error_pages(base_url, services_of(scope).settings.error_docs)


async def _error_pages(request: Request) -> str:
    return await error_pages_of(request.scope)


ErrorPages = Annotated[str, Depends(_error_pages)]

IfMatch = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="If-Match",
        max_length=100,
        description="The ETag of the state to be changed. If the resource has changed since, the answer is 412.",
    ),
]
