"""Counts requests with wrong credentials by the client's address, and says when there are too many.

Right credentials are never refused for it: whoever shares an address with an attacker keeps being served. A request
without credentials is not counted, because many clients send one first to learn which credentials are expected. Nor is
one from a trusted proxy that does not tell the address of its client.
"""

from ipaddress import IPv6Address, IPv6Network, ip_address
from time import monotonic

from starlette.types import Scope

from profile_lookup.errors import TooManyRequests
from profile_lookup.token_buckets import TokenBucket
from profile_lookup.web.body import headers_of
from profile_lookup.web.dependencies import address_of_client, services_of

_IPV6_PREFIX = 64  # bits; a subscriber usually has all addresses that begin with the same ones


async def count_failure(scope: Scope) -> TooManyRequests | None:
    """Count a request whose credentials are wrong. Return the error to answer if too many came from its address."""
    services = services_of(scope)
    limit = services.settings.failed_credentials_limit
    if limit is None or b"authorization" not in headers_of(scope):
        return None
    address = await address_of_client(scope)
    if address is None:
        return None
    try:
        services.buckets.addresses.take([TokenBucket(f"address {_network_of(address)}", limit)], monotonic())
    except TooManyRequests as error:
        return error
    return None


def _network_of(address: str) -> str:
    """Return the address, or its network if it is one of IPv6. What a proxy calls its client need not be an address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Network((int(parsed), _IPV6_PREFIX), strict=False))
    return str(parsed)
