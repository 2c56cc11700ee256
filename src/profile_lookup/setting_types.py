"""The types of settings: what a value of each must be, beyond what pydantic's own types say.

A validator returns the value in its usual form, or raises a `ValueError` that says what was expected, never the value.
"""

import re
from datetime import datetime
from importlib.util import find_spec
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from profile_lookup.clock import EARLIEST, LATEST
from profile_lookup.database.hosts import url_of_each_host, urls_of_standbys

MIN_TOKEN_LENGTH = 24

_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")


def _is_postgresql(url: SecretStr) -> SecretStr:
    try:
        hosts = [urlsplit(each) for each in url_of_each_host(url.get_secret_value())]
        is_postgresql = all(host.scheme in ("postgresql", "postgres") and host.port != 0 for host in hosts)
    except ValueError:
        is_postgresql = False
    if not is_postgresql:
        raise ValueError("expected postgresql://user:password@host:5432/database")
    return url


def _are_standbys(urls: SecretStr) -> SecretStr:
    for url in urls_of_standbys(urls.get_secret_value()):
        _is_postgresql(SecretStr(url))
        if len(url_of_each_host(url)) > 1:
            raise ValueError("expected URLs that name one host each, separated by commas")
    return urls


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


def _are_hosts(hosts: str) -> str:
    names = [host.strip().lower() for host in hosts.split(",")]
    if not all(_HOST.fullmatch(name) for name in names):
        raise ValueError("expected hosts without ports, separated by commas, such as id.example.com,*.example.org")
    return ",".join(names)


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
StandbyUrls = Annotated[SecretStr, AfterValidator(_are_standbys)]
Bucket = Annotated[str, Field(min_length=1), AfterValidator(_needs_boto3)]
BaseUrl = Annotated[
    str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$", max_length=400), AfterValidator(_without_final_slash)
]
Networks = Annotated[str, Field(min_length=1), AfterValidator(_are_networks)]
Hosts = Annotated[str, Field(min_length=1), AfterValidator(_are_hosts)]
AuthToken = Annotated[SecretStr, AfterValidator(_is_long)]
ClockTime = Annotated[str, AfterValidator(_is_time)]
