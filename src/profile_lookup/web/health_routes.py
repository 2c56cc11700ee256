"""Health checks for load balancers and orchestrators. They need no credentials and show none of the data."""

from fastapi import APIRouter, Request

from profile_lookup.database.migrations import serves_current
from profile_lookup.errors import NotMigrated, Unavailable
from profile_lookup.web.dependencies import DatabaseOfApp, services_of

PATHS = ("/healthz", "/readyz")

router = APIRouter(include_in_schema=False)


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def healthz() -> dict[str, str]:
    """Answer that the process runs."""
    return {"status": "ok"}


@router.api_route("/readyz", methods=["GET", "HEAD"])
async def readyz(request: Request, database: DatabaseOfApp) -> dict[str, str]:
    """Answer that the database answers and has this version's schema.

    Raises `Unavailable` if it does not, or if this process is about to stop.
    """
    if services_of(request.scope).stopping.is_set():
        raise Unavailable("the service is shutting down")
    if not await serves_current(database):
        raise NotMigrated
    return {"status": "ready"}
