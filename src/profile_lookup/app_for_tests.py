"""What a server for tests has besides. It is loaded here, where it is needed, so that other servers load none of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from profile_lookup.services import Services
from profile_lookup.settings import Settings

if TYPE_CHECKING:
    from profile_lookup.testing.double import Double


def double_of(settings: Settings) -> "Double":
    from profile_lookup.testing.double import Double  # noqa: PLC0415 -- other servers load nothing of it

    return Double(settings)


def observed(double: "Double", app: ASGIApp, routes: Sequence[BaseRoute]) -> ASGIApp:
    from profile_lookup.testing.middleware import DoubleMiddleware  # noqa: PLC0415 -- as above

    return DoubleMiddleware(app, routes, double)


def routes() -> Sequence[BaseRoute]:
    from profile_lookup.testing.routes import router  # noqa: PLC0415 -- as above

    return router.routes


@asynccontextmanager
async def running(double: "Double", services: Services) -> AsyncIterator[None]:
    """Run a server for tests, and its worker in this process, which has the only clock that is moved."""
    from profile_lookup.jobs.job_handlers import running_worker  # noqa: PLC0415 -- other servers have a worker process

    worker = running_worker(services.settings) if services.settings.run_operations else nullcontext()
    async with double.running(services.database, services.buckets), worker:
        yield
