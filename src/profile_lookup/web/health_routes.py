"""For load balancers and orchestrators: no credentials, nothing of the data."""

from fastapi import APIRouter

from profile_lookup.database.migrations import is_current
from profile_lookup.errors import NotMigrated
from profile_lookup.web.dependencies import DatabaseOfApp

router = APIRouter(include_in_schema=False)


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.api_route("/readyz", methods=["GET", "HEAD"])
async def readyz(database: DatabaseOfApp) -> dict[str, str]:
    """The database answers, and its schema is this version's. Raises `Unavailable`."""
    async with database.statements() as connection:
        if not await is_current(connection):
            raise NotMigrated
    return {"status": "ready"}
