"""Refuses requests for other hosts than the service's own, if the setting names these.

Without `PUBLIC_URL`, the addresses in answers begin with the host that the request names. If an attacker or a cache has
put another host there, these addresses would lead the client elsewhere.
"""

from functools import cache

from starlette.types import ASGIApp, Receive, Scope, Send

from profile_lookup.errors import RequestRefused
from profile_lookup.web.body import headers_of
from profile_lookup.web.errors import answer_with
from profile_lookup.web.health_routes import PATHS as HEALTH_CHECKS
from profile_lookup.web.metrics_routes import PATH as METRICS
from profile_lookup.web.middleware.unread_body import UnreadBodyMiddleware

_ANY_SUBDOMAIN = "*."


class AllowedHosts:
    """The hosts that requests may name, such as `id.example.com`, or `*.example.com` for all of its subdomains."""

    def __init__(self, names: str) -> None:
        hosts = names.split(",")
        self._exact = frozenset(host.encode() for host in hosts if not host.startswith(_ANY_SUBDOMAIN))
        self._endings = tuple(host[1:].encode() for host in hosts if host.startswith(_ANY_SUBDOMAIN))

    def include(self, host: bytes) -> bool:
        """Return whether a `Host` header names one of them, with any port."""
        name = _without_port(host).lower()
        return name in self._exact or name.endswith(self._endings)


@cache
def allowed_hosts(names: str) -> AllowedHosts:
    """Return the hosts that this value of the setting `allowed_hosts` names."""
    return AllowedHosts(names)


def _without_port(host: bytes) -> bytes:
    """Return the name or address in a `Host` header; an address of IPv6 keeps its brackets."""
    if host.startswith(b"["):
        return host[: host.find(b"]") + 1]
    return host.partition(b":")[0]


class AllowedHostsMiddleware:
    """Answers 400 to requests for hosts that are not allowed.

    `error_pages` is the address of the pages about errors. It must not be made of the host that is refused. Health
    checks and metrics are answered for any host, because load balancers and Prometheus name a process by its address.
    """

    def __init__(self, app: ASGIApp, allowed: AllowedHosts, error_pages: str) -> None:
        self._app = app
        self._allowed = allowed
        answer = answer_with(RequestRefused("Host: expected a host of this service"), error_pages)
        self._refuse = UnreadBodyMiddleware(answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_allowed = (
            scope["type"] != "http"
            or self._allowed.include(headers_of(scope).get(b"host", b""))
            or scope["path"] in (*HEALTH_CHECKS, METRICS)
        )
        await (self._app if is_allowed else self._refuse)(scope, receive, send)
