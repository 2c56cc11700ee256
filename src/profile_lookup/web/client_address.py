"""The address by which a client is counted: its connection's, or the one that trusted proxies forward."""

from collections.abc import Mapping
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

FORWARDED_FOR = b"x-forwarded-for"
_MAX_LENGTH = 64  # characters; what a proxy forwards need not be an address
_NETWORK_OF_ONE_CLIENT = 64  # bits of an IPv6 address; a client may choose the others


class ClientAddresses:
    """Finds the addresses of clients."""

    def __init__(self, trusted_proxies: str) -> None:
        self._trusted = proxy_headers(trusted_proxies).trusted_hosts

    def is_trusted_proxy(self, address: str) -> bool:
        """Return whether `X-Forwarded-For` counts in requests from this address."""
        return address in self._trusted

    def is_known(self, scope: Mapping[str, Any]) -> bool:
        """Return whether the client's address is known. It is not if a trusted proxy forwards none."""
        return scope["client"] is not None and (not self.is_trusted_proxy(scope["client"][0]) or is_forwarded(scope))

    def of_request(self, scope: Mapping[str, Any]) -> str:
        """Return the address of the client that a request comes from, as `counted_address` returns it."""
        peer, _ = scope["client"] or ("", 0)
        if not self.is_trusted_proxy(peer):
            return counted_address(peer)
        forwarded = b",".join(value for name, value in scope["headers"] if name == FORWARDED_FOR).decode("latin-1")
        return counted_address(self._trusted.get_trusted_client_address(forwarded)[0] if forwarded else peer)


def is_forwarded(scope: Mapping[str, Any]) -> bool:
    """Return whether the request has `X-Forwarded-For`."""
    return any(name == FORWARDED_FOR for name, _ in scope["headers"])


@cache
def client_addresses(trusted_proxies: str) -> ClientAddresses:
    """Return the `ClientAddresses` for this value of the setting `trusted_proxies`."""
    return ClientAddresses(trusted_proxies)


def counted_address(address: str) -> str:
    """Return what all connections of one client have in common: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:_MAX_LENGTH]
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), _NETWORK_OF_ONE_CLIENT), strict=False))


@cache
def proxy_headers(trusted_proxies: str) -> ProxyHeadersMiddleware:
    """Return uvicorn's middleware around an application that does nothing.

    It sets the scheme and the client in a request's scope to those that a trusted proxy forwards.
    """

    async def do_nothing(*_request: object) -> None: ...

    return ProxyHeadersMiddleware(do_nothing, trusted_hosts=trusted_proxies)
