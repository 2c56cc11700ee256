"""Counts requests with wrong credentials by the client's address, and says when there are too many.

Right credentials are never refused because of it: whoever shares an address with an attacker keeps being served. A
request without credentials is not counted, because many clients send one first to learn which credentials are expected.
A request of a trusted proxy that does not forward its client's address is not counted either.
"""

from time import monotonic

from starlette.types import Scope

from profile_lookup.errors import TooManyRequests
from profile_lookup.token_buckets import TokenBucket
from profile_lookup.web.body import headers_of
from profile_lookup.web.client_address import client_addresses
from profile_lookup.web.dependencies import services_of


def count_failure(scope: Scope) -> TooManyRequests | None:
    """Do what `count_wrong_credentials` does, unless the request has no `Authorization` header."""
    return count_wrong_credentials(scope) if b"authorization" in headers_of(scope) else None


def count_wrong_credentials(scope: Scope) -> TooManyRequests | None:
    """Count a request with wrong credentials. Return the error to answer if too many came from its address."""
    services = services_of(scope)
    limit = services.settings.failed_credentials_limit
    if limit is None:
        return None
    addresses = client_addresses(services.settings.trusted_proxies)
    if not addresses.is_known(scope):
        return None
    try:
        services.buckets.addresses.take([TokenBucket(f"address {addresses.of_request(scope)}", limit)], monotonic())
    except TooManyRequests as error:
        return error
    return None
