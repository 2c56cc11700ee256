"""Health checks for load balancers and orchestrators. They need no credentials and show none of the data."""

from fastapi import APIRouter, Request

from profile_lookup.database.migrations import schema_state
from profile_lookup.database.schema_revisions import SchemaState
from profile_lookup.errors import NotMigrated, SchemaTooNew, Unavailable
from profile_lookup.web.dependencies import DatabaseOfApp, services_of

PATHS = ("/healthz", "/readyz")

router = APIRouter(include_in_schema=False)


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def healthz() -> dict[str, str]:
    """Answer that the process runs."""
    return {"status": "ok"}


@router.api_route("/readyz", methods=["GET", "HEAD"])
async def readyz(request: Request, database: DatabaseOfApp) -> dict[str, str]:
    """Answer that the database answers and that its schema serves this version. It may be newer.

    Raises `Unavailable` if it does not, or if this process is about to stop.
    """
    if services_of(request.scope).stopping.is_set():
        raise Unavailable("the service is shutting down")
    match await schema_state(database):
        case SchemaState.LACKS_MIGRATIONS:
            raise NotMigrated
        case SchemaState.IS_TOO_NEW:
            raise SchemaTooNew
    return {"status": "ready"}
