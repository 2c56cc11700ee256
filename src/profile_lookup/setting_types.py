"""The types of settings: what a value of each must be, beyond what pydantic's own types say.

A validator returns the value in its usual form, or raises a `ValueError` that says what was expected, never the value.
"""

from datetime import datetime
from importlib.util import find_spec
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from profile_lookup.clock import EARLIEST, LATEST

MIN_TOKEN_LENGTH = 24


def _is_postgresql(url: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(url.get_secret_value())
        is_postgresql = parts.scheme in ("postgresql", "postgres") and parts.port != 0
    except ValueError:
        is_postgresql = False
    if not is_postgresql:
        raise ValueError("expected postgresql://user:password@host:5432/database")
    return url


def _needs_boto3(bucket: str) -> str:
    if find_spec("boto3") is None:
        raise ValueError("expected boto3 to be installed: install profile-lookup[s3]")
    return bucket


def _without_final_slash(url: str) -> str:
    return url.rstrip("/")


def _are_networks(proxies: str) -> str:
    if proxies.strip() == "*":
        return "*"
    try:
        return ",".join(str(ip_network(proxy.strip(), strict=False)) for proxy in proxies.split(","))
    except ValueError:
        raise ValueError("expected addresses and networks, separated by commas, or *") from None


def _is_long(token: SecretStr) -> SecretStr:
    if len(token.get_secret_value()) < MIN_TOKEN_LENGTH:
        raise ValueError(f"expected at least {MIN_TOKEN_LENGTH} characters")
    return token


def _is_time(time: str) -> str:
    try:
        is_time = EARLIEST <= datetime.fromisoformat(time) <= LATEST
    except (ValueError, TypeError):  # TypeError: it has no zone, so it cannot be compared
        is_time = False
    if not is_time:
        raise ValueError("expected a time with its zone, from 1970 to 2999, such as 2026-01-15T10:15:30Z")
    return time


DatabaseUrl = Annotated[SecretStr, AfterValidator(_is_postgresql)]
Bucket = Annotated[str, Field(min_length=1), AfterValidator(_needs_boto3)]
BaseUrl = Annotated[
    str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$", max_length=400), AfterValidator(_without_final_slash)
]
Networks = Annotated[str, Field(min_length=1), AfterValidator(_are_networks)]
AuthToken = Annotated[SecretStr, AfterValidator(_is_long)]
ClockTime = Annotated[str, AfterValidator(_is_time)]
