"""All middleware around the framework, from the outermost inwards."""

from collections.abc import Callable, Iterable

from starlette.types import ASGIApp

from profile_lookup.settings import Settings
from profile_lookup.web.hot_route import HotRoute, HotRoutesMiddleware
from profile_lookup.web.middleware.allowed_hosts import AllowedHosts, AllowedHostsMiddleware
from profile_lookup.web.middleware.audit import AuditMiddleware
from profile_lookup.web.middleware.load_limits import LoadLimitMiddleware
from profile_lookup.web.middleware.request_id import RequestIdMiddleware
from profile_lookup.web.middleware.unread_body import UnreadBodyMiddleware
from profile_lookup.web.urls import error_pages


def middleware_stack(
    framework: ASGIApp, hot_routes: Iterable[HotRoute], settings: Settings, observed: Callable[[ASGIApp], ASGIApp]
) -> ASGIApp:
    """Return the framework's application with our middleware. `observed` adds that of a server for tests."""
    limited = UnreadBodyMiddleware(LoadLimitMiddleware(framework))
    served = observed(HotRoutesMiddleware(limited, routes=hot_routes))
    if settings.allowed_hosts is not None:
        pages = error_pages(settings.public_url or "", settings.error_docs)
        served = AllowedHostsMiddleware(served, AllowedHosts(settings.allowed_hosts), pages)
    if settings.audit:
        served = AuditMiddleware(served)
    if settings.traces:
        from profile_lookup.web.middleware.traces import TraceMiddleware  # noqa: PLC0415 -- it loads OpenTelemetry

        served = TraceMiddleware(served)
    return RequestIdMiddleware(served, log_requests=settings.log_requests, is_measured=settings.has_metrics)
