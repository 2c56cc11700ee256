"""Health checks for load balancers and orchestrators. They need no credentials and show none of the data."""

from fastapi import APIRouter

from profile_lookup.database.migrations import is_current
from profile_lookup.errors import NotMigrated
from profile_lookup.web.dependencies import DatabaseOfApp

PATHS = ("/healthz", "/readyz")

router = APIRouter(include_in_schema=False)


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def healthz() -> dict[str, str]:
    """Answer that the process runs."""
    return {"status": "ok"}


@router.api_route("/readyz", methods=["GET", "HEAD"])
async def readyz(database: DatabaseOfApp) -> dict[str, str]:
    """Answer that the database answers and has this version's schema. Raises `Unavailable`."""
    async with database.statements() as connection:
        if not await is_current(connection):
            raise NotMigrated
    return {"status": "ready"}
