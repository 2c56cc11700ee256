"""`/metrics`, if the settings say that it is served on the service's own port. It needs no credentials."""

from fastapi import APIRouter, Request, Response

from profile_lookup.web.dependencies import services_of

PATH = "/metrics"

router = APIRouter(include_in_schema=False)


@router.api_route(PATH, methods=["GET", "HEAD"])
async def metrics(request: Request) -> Response:
    """Answer what all processes of the service have counted, in the text format of Prometheus."""
    from profile_lookup.metrics.exposition import CONTENT_TYPE, exposition  # noqa: PLC0415 -- without it, it is not loaded

    exporter = services_of(request.scope).exporter
    assert exporter is not None  # the settings add this route
    exporter.copy()
    return Response(exposition(exporter.directory), headers={"Content-Type": CONTENT_TYPE})
