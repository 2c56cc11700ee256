"""The composition root: settings in, application out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from profile_lookup import health
from profile_lookup.database.engine import Database
from profile_lookup.operations import routes as operations
from profile_lookup.profiles import routes as profiles
from profile_lookup.profiles.lookup import KnownStores
from profile_lookup.settings import Settings, load_settings
from profile_lookup.stores import routes as stores
from profile_lookup.web.docs import install_docs
from profile_lookup.web.errors import install_error_handlers
from profile_lookup.web.logs import configure_logging
from profile_lookup.web.openapi import describe
from profile_lookup.web.request_id import RequestIdMiddleware

_DESCRIPTION = """\
Which customer profile does this phone number, e-mail or chat ID name? Store profiles with their identifiers; those
that turn out to be one person merge; look them up.

Speaks the identity half of Twilio's Conversation Memory API (v1); the official SDK works unmodified. Press
*Authorize* and give an API key's SID and secret, or an account's SID and auth token.
"""

_TAGS = [
    {"name": "Retrieval", "description": "Who is this?"},
    {"name": "Profile", "description": "What is known of a person, under one canonical ID."},
    {"name": "Store", "description": "A tenant: its settings, trait groups and profiles."},
    {"name": "Operations", "description": "What became of an accepted request."},
]


def create_app(settings: Settings) -> FastAPI:
    """`settings.database_url` must be set: the command line sets it for the embedded database."""
    assert settings.database_url is not None
    database_url = settings.database_url.get_secret_value()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.database = Database(database_url, pool_size=settings.pool_size)
        yield
        await app.state.database.close()

    app = FastAPI(
        title="profile-lookup",
        version=version("profile-lookup"),
        summary="A self-hosted identity lookup service",
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # an address is one or it is not: nobody's credentials are sent on a detour
        telemetry={"tracing": False, "metrics": False, "logs": False},  # it would hold bodies: personal data
    )
    app.state.settings = settings
    app.state.known_stores = KnownStores()
    app.add_middleware(RequestIdMiddleware, log_requests=settings.log_requests)
    install_error_handlers(app)
    install_docs(app)
    for router in (profiles.router, stores.router, operations.router, health.router):
        app.include_router(router)
    describe(app, _TAGS)
    return app


def app_from_environment() -> FastAPI:
    """For uvicorn's worker processes, which are told their settings by the environment."""
    settings = load_settings()
    configure_logging(settings.log_level)
    return create_app(settings)
