"""For load balancers and orchestrators: no credentials, nothing of the data."""

from fastapi import APIRouter
from sqlalchemy import text

from profile_lookup.database.engine import DatabaseOfApp
from profile_lookup.database.migrations import newest_revision
from profile_lookup.errors import NotMigrated

router = APIRouter(include_in_schema=False)

_REVISION = text("select version_num from alembic_version")


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(database: DatabaseOfApp) -> dict[str, str]:
    """The database answers, and its migrations are those of this version. Raises `Unavailable`."""
    async with database.statements() as connection:
        revision = await connection.scalar(_REVISION)
    if revision != newest_revision():
        raise NotMigrated
    return {"status": "ready"}
