"""The composition root: it builds the application from the settings."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from profile_lookup import app_for_tests
from profile_lookup.accounts import routes as accounts
from profile_lookup.accounts.last_use import LastUse
from profile_lookup.accounts.rate_limits import RateLimits
from profile_lookup.audit.audit_log import audit_log_of
from profile_lookup.blocked_values import routes as blocked_values
from profile_lookup.bucket_tables import MEMORY_NAME, BucketTables
from profile_lookup.console import routes as console
from profile_lookup.console.error_page import error_page as console_error_page
from profile_lookup.database.pool import Database
from profile_lookup.database.signing_key import SigningKey
from profile_lookup.database.single_queries.busy_poll import BusyPoll
from profile_lookup.garbage_collection import collect_seldom
from profile_lookup.history import feed_routes, separation_routes, split_routes
from profile_lookup.history import routes as history
from profile_lookup.history.feed_waits import FeedWaits
from profile_lookup.identity_settings import routes as identity_settings
from profile_lookup.imports import report_routes, upload_routes
from profile_lookup.imports import routes as imports
from profile_lookup.imports.dry_runs import preview_routes
from profile_lookup.imports.s3 import bucket_of
from profile_lookup.imports.undo import routes as import_undo
from profile_lookup.ingest import routes as create_routes
from profile_lookup.ingest.group_ingest import GroupIngest
from profile_lookup.logs import configure_logging
from profile_lookup.lookup import batch_routes
from profile_lookup.lookup import routes as lookup_routes
from profile_lookup.lookup.batch_lookup import BatchLookup
from profile_lookup.lookup.coalescing import Lookups
from profile_lookup.lookup.profile_lookup import ProfileLookup
from profile_lookup.metrics.exported import exported
from profile_lookup.operations import result_routes as operation_results
from profile_lookup.operations import routes as operations
from profile_lookup.overload import LoadLimits
from profile_lookup.profiles import bulk_routes, identifier_routes, memory_routes, suspect_routes
from profile_lookup.profiles import routes as profiles
from profile_lookup.services import Services
from profile_lookup.settings import Settings, load_settings
from profile_lookup.stores import routes as stores
from profile_lookup.stores.admission import Admissions
from profile_lookup.traces.provider import traced
from profile_lookup.trait_groups import routes as trait_groups
from profile_lookup.web import health_routes as health
from profile_lookup.web import metrics_routes
from profile_lookup.web.docs.introduction import DESCRIPTION, TAGS, TESTING_TAG
from profile_lookup.web.docs.routes import install_docs
from profile_lookup.web.errors import install_error_handlers
from profile_lookup.web.hot_route import HotRoute
from profile_lookup.web.middleware.lost_standbys import install_repeated_reads
from profile_lookup.web.middleware.stack import middleware_stack
from profile_lookup.web.openapi import describe
from profile_lookup.web.redirects import install_redirects

if TYPE_CHECKING:
    from profile_lookup.metrics.exporter import Exporter
    from profile_lookup.testing.double import Double

FEATURES = (
    lookup_routes, batch_routes, bulk_routes, imports, preview_routes, report_routes, upload_routes, import_undo,
    create_routes,
    profiles, identifier_routes, suspect_routes, split_routes, separation_routes, memory_routes, history, feed_routes,
    stores, identity_settings, blocked_values, trait_groups, operations, operation_results, accounts, health,
)  # fmt: skip
"""The modules that have a `router`, in the order in which they are tried: `…/Profiles/Imports` is no profile's path."""

DOCUMENTED = (
    lookup_routes, batch_routes, create_routes, profiles, identifier_routes, suspect_routes, split_routes,
    separation_routes, bulk_routes, imports, preview_routes, report_routes, upload_routes, import_undo, history,
    feed_routes, stores,
    identity_settings, blocked_values, trait_groups, operations, operation_results, accounts,
)  # fmt: skip
"""The modules whose operations are documented, in this order."""


class _App(FastAPI):
    """FastAPI with our own middleware outermost, and the hot routes before the framework's middleware.

    `RequestIdMiddleware` answers a crash, and no handler does.
    """

    settings: Settings
    double: "Double | None" = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.middleware_stack is None:
            await super().__call__(scope, receive, send)
            return
        # FastAPI would also handle telemetry and the path that it is mounted at, neither of which we use.
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        outermost = super().build_middleware_stack()
        assert isinstance(outermost, ServerErrorMiddleware)  # RequestIdMiddleware replaces it
        hot = [route for route in self.routes if isinstance(route, HotRoute)]
        return middleware_stack(outermost.app, hot, self.settings, self._observed)

    def _observed(self, app: ASGIApp) -> ASGIApp:
        return app if self.double is None else app_for_tests.observed(self.double, app, self.routes)


def _processors() -> int:
    """Return how many processors this process may use, or, if the system does not say, how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def create_app(settings: Settings, buckets_memory: str | None = None) -> FastAPI:
    """Return the application. `settings.database_url` must be set: the commands set it for the embedded database.

    `buckets_memory` is the name of the memory that it shares with the other processes, if there are several.
    """
    double = app_for_tests.double_of(settings) if settings.ephemeral else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(traced(settings))
            exporter = await stack.enter_async_context(exported(settings))
            services = await stack.enter_async_context(_running_services(settings, buckets_memory, exporter))
            app.state.services = services
            if double is not None:
                await stack.enter_async_context(app_for_tests.running(double, services))
            yield

    app = _App(
        title="profile-lookup",
        version=version("profile-lookup"),
        summary="A self-hosted identity lookup service",
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would make clients send their credentials twice
        # Telemetry would contain bodies, which are personal data.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.settings = settings
    app.double = app.state.double = double
    install_error_handlers(app, console_error_page if settings.console else None)
    install_redirects(app)
    install_repeated_reads(app)
    routes_of_double = [] if double is None else app_for_tests.routes()
    # `include_router` would make each route again at the first request, and match each one twice.
    app.router.routes += [*_routes_of(FEATURES), *routes_of_double]
    if settings.metrics:
        app.router.routes += metrics_routes.router.routes
    if settings.console:
        app.router.routes += console.router.routes
    install_docs(app)
    tags = TAGS if double is None else [*TAGS, TESTING_TAG]
    describe(app, tags, [*_routes_of(DOCUMENTED), *routes_of_double], public_url=settings.public_url)
    return app


def _routes_of(features: Iterable[ModuleType]) -> list[BaseRoute]:
    return [route for feature in features for route in feature.router.routes]


@asynccontextmanager
async def _running_services(
    settings: Settings, buckets_memory: str | None, exporter: "Exporter | None"
) -> AsyncIterator[Services]:
    """Yield the services of this process, and close them at the end."""
    assert settings.database_url is not None
    database_url = settings.database_url.get_secret_value()
    database = Database(database_url, pool_size=settings.pool_size, standby_urls=settings.standby_urls)
    buckets = BucketTables(buckets_memory)
    rate_limits = RateLimits(settings, buckets.callers)
    last_use = LastUse(database)
    admissions = Admissions(database, rate_limits, last_use)
    busy_poll = BusyPoll(has_processor_to_spare=_processors() > settings.workers)
    lookups = Lookups(database_url, busy_poll, database.standbys)
    group_ingest = GroupIngest(database, admissions)
    load_limits = LoadLimits(settings.pool_size)
    if exporter is not None:
        exporter.measures.append(load_limits.measure)
    audit = audit_log_of(settings)
    ending = asyncio.Event()
    feed_waits = FeedWaits(database, ending)
    batch_lookup = BatchLookup(database_url, database, admissions, load_limits)
    yield Services(
        settings=settings,
        database=database,
        signing_key=SigningKey(database),
        buckets=buckets,
        rate_limits=rate_limits,
        last_use=last_use,
        load_limits=load_limits,
        admissions=admissions,
        lookup=ProfileLookup(database, admissions, lookups, load_limits),
        batch_lookup=batch_lookup,
        group_ingest=group_ingest,
        feed_waits=feed_waits,
        bucket=bucket_of(settings),
        exporter=exporter,
        audit=audit,
        stopping=asyncio.Event(),
        ending=ending,
    )
    await feed_waits.close()
    await group_ingest.close()
    await lookups.close()
    await batch_lookup.close()
    await last_use.close()
    await database.close()
    buckets.close()
    if audit is not None:
        audit.close()


def app_from_environment() -> FastAPI:
    """Return the application for one of several processes, which get their settings from the environment."""
    settings = load_settings()
    configure_logging(settings.log_level)
    return app_to_serve(settings, os.environ[MEMORY_NAME])


def app_to_serve(settings: Settings, buckets_memory: str | None = None) -> FastAPI:
    """Return the application for a process that does nothing but serve it, and let it collect garbage seldom."""
    app = create_app(settings, buckets_memory)
    collect_seldom()
    return app
