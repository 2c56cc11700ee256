"""The settings of the service, which each command reads once from the environment."""

import os
import re
from datetime import datetime
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from profile_lookup.errors import OperatorError

PREFIX = "PROFILE_LOOKUP_"
MIN_TOKEN_LENGTH = 24

_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")


class SettingsError(OperatorError):
    """A setting has a value that it cannot have; the message never shows the value."""


def _default_data_dir() -> Path:
    """Return a directory that the server can reach: if we are root, it runs as an unprivileged user."""
    return Path("/var/lib/profile-lookup") if os.geteuid() == 0 else user_data_path("profile-lookup")


def _default_cache_dir() -> Path:
    """Return a directory as above. A user without a home directory, as in some containers, gets a temporary one."""
    if os.geteuid() == 0:
        return Path("/var/cache/profile-lookup")
    path = user_cache_path("profile-lookup")
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    return path if os.access(existing, os.W_OK) else Path(gettempdir()) / f"profile-lookup-{os.geteuid()}"


class Settings(BaseSettings):
    """The settings. The descriptions are also the README's, as `profile-lookup settings` prints them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: Annotated[
        SecretStr | None,
        Field(
            description="The database, on PostgreSQL 17 or 18: `postgresql://user:password@host:5432/database`. "
            "Unset: the embedded one."
        ),
    ] = None
    data_dir: Annotated[
        Path,
        Field(
            default_factory=_default_data_dir,
            description="The directory of the embedded database and of the demo's credentials. "
            "Unset: `/var/lib/profile-lookup` for root, else the user's data directory.",
        ),
    ]
    cache_dir: Annotated[
        Path,
        Field(
            default_factory=_default_cache_dir,
            description="The directory of what `serve --ephemeral` keeps: a template of its databases, and each "
            "database while it is in use. Unset: `/var/cache/profile-lookup` for root, else in the user's cache.",
        ),
    ]
    host: Annotated[str, Field(min_length=1, description="The address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="The port to listen on; 0 takes a free one.")] = 8000
    workers: Annotated[int, Field(ge=1, le=64, description="How many processes answer requests.")] = 1
    pool_size: Annotated[
        int,
        Field(
            ge=2,
            le=200,
            description="Database connections of each process that answers requests, in addition to four for "
            "lookups and admissions. The process that works on operations has eight.",
        ),
    ] = 16
    run_operations: Annotated[
        bool,
        Field(
            description="Whether `serve` also starts a process that works on operations. "
            "Turn it off if you run `profile-lookup worker` yourself."
        ),
    ] = True
    keep_alive_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=3600,
            description="How long a connection without a request stays open, in seconds. It must be longer than a load "
            "balancer keeps one, or clients get 502: nginx and ALB keep one for 60 seconds.",
        ),
    ] = 75
    public_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
            max_length=400,
            description="The URL that clients reach the service by, for `Location`, `statusUrl` and `more_info`. "
            "Unset: the URL of the request.",
        ),
    ] = None
    error_docs: Annotated[
        Literal["service", "twilio"],
        Field(
            description="Where `more_info` of an error leads: to the pages of this `service` below `/docs/errors`, or "
            "to those of `twilio`, as in the published contract."
        ),
    ] = "service"
    follow_merged: Annotated[
        bool,
        Field(
            description="Whether a request for a merged profile is served as if it were for the canonical one, instead "
            "of being redirected to it **(ours)**: for clients that lose writes at a redirect (`docs/clients.md`)."
        ),
    ] = False
    trusted_proxies: Annotated[
        str,
        Field(
            min_length=1,
            description="Proxies whose `X-Forwarded-Proto` is trusted: addresses and networks, separated by commas, "
            "or `*` for all.",
        ),
    ] = "127.0.0.1"
    allowed_hosts: Annotated[
        str | None,
        Field(
            min_length=1,
            description="The hosts that requests may name, separated by commas: `id.example.com`, or `*.example.com` "
            "for its subdomains. Health checks may name any. Unset: all may.",
        ),
    ] = None
    max_stores: Annotated[int, Field(ge=1, description="How many stores an account may have.")] = 15
    max_operations_per_store: Annotated[
        int,
        Field(
            ge=1,
            description="How many operations of a store may be unfinished before requests that need another one are "
            "answered with 429.",
        ),
    ] = 100
    max_operations_per_account: Annotated[
        int, Field(ge=1, description="How many operations of all stores of an account may be unfinished, as above.")
    ] = 1000
    max_waiting_imports_per_store: Annotated[
        int,
        Field(
            ge=1,
            description="How many imports of a store may wait for their file before others are answered with 429. They "
            "do not count as unfinished operations until the file has arrived.",
        ),
    ] = 1000
    upload_dir: Annotated[
        Path | None,
        Field(
            description="The directory of the files of imports, each up to 100 MiB. A file is there only while it is "
            "received or read. Unset: `uploads` in the data directory."
        ),
    ] = None
    upload_seconds: Annotated[
        int, Field(ge=1, le=604_800, description="How long the upload URL of an import is valid, in seconds.")
    ] = 3600
    s3_bucket: Annotated[
        str | None,
        Field(
            min_length=1,
            description="A bucket that clients upload the files of imports to, instead of to this service. It needs "
            "`profile-lookup[s3]`, and credentials where boto3 looks for them.",
        ),
    ] = None
    s3_endpoint_url: Annotated[
        str | None,
        Field(
            pattern="^https?://", description="The URL of an S3 that is not Amazon's, for this service and for clients."
        ),
    ] = None
    s3_region: Annotated[str | None, Field(min_length=1, description="The region of the bucket.")] = None
    bootstrap_account_sid: Annotated[
        str | None,
        Field(
            pattern="^AC[0-9A-Za-z]{2,62}$",
            description="The SID of an account that exists from the start, with exactly the token below: for Docker "
            "Compose, CI and tests.",
        ),
    ] = None
    bootstrap_auth_token: Annotated[
        SecretStr | None,
        Field(
            description=f"The auth token of that account, at least {MIN_TOKEN_LENGTH} characters. They should be "
            "letters and digits, because the Go SDK sends no others."
        ),
    ] = None
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        Field(description="The lowest severity that is logged."),
    ] = "INFO"
    log_requests: Annotated[bool, Field(description="Whether each request is logged, in one line.")] = False
    ephemeral: Annotated[
        bool,
        Field(
            description="Whether this is a server for tests: one process, with a database of its own, that anybody may "
            "reset through `/testing/…`. Never turn it on for data that must last."
        ),
    ] = False
    seed_file: Annotated[
        Path | None,
        Field(
            description="A YAML or JSON file with the stores and profiles that a server for tests begins with: "
            "`docs/seeds.md`."
        ),
    ] = None
    clock: Annotated[
        str | None,
        Field(
            description="The time at which the clock of a server for tests begins, such as `2026-01-15T10:15:30Z`. "
            "Unset: the real time."
        ),
    ] = None
    ephemeral_store_id: Annotated[
        str | None,
        Field(
            pattern="^mem_(store|service)_[0-7][0-9a-hjkmnp-tv-z]{25}$",
            description="The ID of the store that a server for tests begins with. Unset: the first one of the seed, or "
            "a new one.",
        ),
    ] = None

    @property
    def upload_directory(self) -> Path:
        return self.upload_dir or self.data_dir / "uploads"

    def with_database_url(self, url: str) -> Self:
        """Return these settings with this database."""
        return self.model_copy(update={"database_url": SecretStr(url)})

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            try:
                parts = urlsplit(url.get_secret_value())
                is_postgresql = parts.scheme in ("postgresql", "postgres") and parts.port != 0
            except ValueError:
                is_postgresql = False
            if not is_postgresql:
                raise ValueError("expected postgresql://user:password@host:5432/database")
        return url

    @field_validator("s3_bucket")
    @classmethod
    def _needs_boto3(cls, bucket: str | None) -> str | None:
        if bucket is not None and find_spec("boto3") is None:
            raise ValueError("expected boto3 to be installed: install profile-lookup[s3]")
        return bucket

    @field_validator("public_url")
    @classmethod
    def _has_no_final_slash(cls, url: str | None) -> str | None:
        return url and url.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: str) -> str:
        if proxies.strip() == "*":
            return "*"
        try:
            return ",".join(str(ip_network(proxy.strip(), strict=False)) for proxy in proxies.split(","))
        except ValueError:
            raise ValueError("expected addresses and networks, separated by commas, or *") from None

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, hosts: str | None) -> str | None:
        names = [] if hosts is None else [host.strip().lower() for host in hosts.split(",")]
        if not all(_HOST.fullmatch(name) for name in names):
            raise ValueError("expected hosts without ports, separated by commas, such as id.example.com,*.example.org")
        return ",".join(names) or None

    @field_validator("bootstrap_auth_token")
    @classmethod
    def _is_long(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < MIN_TOKEN_LENGTH:
            raise ValueError(f"expected at least {MIN_TOKEN_LENGTH} characters")
        return token

    @field_validator("clock")
    @classmethod
    def _is_time(cls, clock: str | None) -> str | None:
        try:
            has_zone = clock is None or datetime.fromisoformat(clock).tzinfo is not None
        except ValueError:
            has_zone = False
        if not has_zone:
            raise ValueError("expected a time with its zone, such as 2026-01-15T10:15:30Z")
        return clock

    @model_validator(mode="after")
    def _bootstrap_is_complete(self) -> Self:
        if (self.bootstrap_account_sid is None) != (self.bootstrap_auth_token is None):
            raise ValueError(
                f"{PREFIX}BOOTSTRAP_ACCOUNT_SID and {PREFIX}BOOTSTRAP_AUTH_TOKEN: expected both or neither"
            )
        return self


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of the environment; an override that is not None takes precedence. Raises `SettingsError`."""
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = f"{PREFIX}{str(first['loc'][0]).upper()}: " if first["loc"] else ""
        raise SettingsError(f"{name}{first['msg'].removeprefix('Value error, ')}") from None
