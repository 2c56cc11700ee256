"""All that can be configured: read once from the environment, at the root of the program."""

import os
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from profile_lookup.errors import OperatorError

PREFIX = "PROFILE_LOOKUP_"
MIN_TOKEN_LENGTH = 24


class SettingsError(OperatorError):
    """A setting has a value that it cannot have; the message never shows the value."""


def _default_data_dir() -> Path:
    """For root a place that the unprivileged user of the embedded server can reach."""
    return Path("/var/lib/profile-lookup") if os.geteuid() == 0 else user_data_path("profile-lookup")


class Settings(BaseSettings):
    """Each description is also the README's."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: Annotated[
        SecretStr | None,
        Field(
            description="PostgreSQL 17 or newer, as `postgresql://user:password@host:5432/database`. "
            "Unset: the embedded one."
        ),
    ] = None
    data_dir: Annotated[
        Path,
        Field(
            default_factory=_default_data_dir,
            description="Where the embedded database and the demo's credentials are kept. "
            "Unset: `/var/lib/profile-lookup` for root, else the user's data directory.",
        ),
    ]
    host: Annotated[str, Field(min_length=1, description="The address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="The port to listen on; 0 takes a free one.")] = 8000
    workers: Annotated[int, Field(ge=1, le=64, description="How many processes serve.")] = 1
    pool_size: Annotated[
        int,
        Field(
            ge=2,
            le=200,
            description="Database connections of each process that serves, beside four for lookups and admissions. "
            "The one that works on operations has eight.",
        ),
    ] = 16
    run_operations: Annotated[
        bool,
        Field(
            description="Whether `serve` also works on operations that take long, in a process of its own. "
            "Turn it off where `profile-lookup worker` runs apart."
        ),
    ] = True
    public_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
            max_length=400,
            description="The address that clients use, for `Location` and `statusUrl`. Unset: the request's own.",
        ),
    ] = None
    trusted_proxies: Annotated[
        str,
        Field(
            min_length=1,
            description="Proxies whose `X-Forwarded-Proto` is believed: addresses and networks, with commas "
            "between, or `*`.",
        ),
    ] = "127.0.0.1"
    max_stores: Annotated[int, Field(ge=1, description="How many stores an account may have.")] = 15
    upload_dir: Annotated[
        Path | None,
        Field(
            description="Where files of imports are while they are received or read, each up to 100 MiB; they never "
            "stay. Unset: `uploads` in the data directory."
        ),
    ] = None
    upload_seconds: Annotated[
        int, Field(ge=1, le=604_800, description="How long the address for an import's file is good for.")
    ] = 3600
    s3_bucket: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Where files of imports are uploaded to instead of to this service; needs "
            "`profile-lookup[s3]`, and credentials where boto3 looks for them.",
        ),
    ] = None
    s3_endpoint_url: Annotated[
        str | None,
        Field(pattern="^https?://", description="An S3 that is not Amazon's, as this service and clients reach it."),
    ] = None
    s3_region: Annotated[str | None, Field(min_length=1, description="Where the bucket is.")] = None
    bootstrap_account_sid: Annotated[
        str | None,
        Field(
            pattern="^AC[0-9A-Za-z]{2,62}$",
            description="An account that is ensured at start, with exactly this SID and the token below: "
            "for compose, CI and tests.",
        ),
    ] = None
    bootstrap_auth_token: Annotated[
        SecretStr | None,
        Field(description=f"That account's auth token, at least {MIN_TOKEN_LENGTH} characters."),
    ] = None
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        Field(description="The least severe event that is logged."),
    ] = "INFO"
    log_requests: Annotated[bool, Field(description="Whether every request is logged, in one line.")] = False

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
    def _is_spoken_to(cls, bucket: str | None) -> str | None:
        if bucket is not None and find_spec("boto3") is None:
            raise ValueError("expected boto3 to be there: install profile-lookup[s3]")
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
            raise ValueError("expected addresses and networks, with commas between, or *") from None

    @field_validator("bootstrap_auth_token")
    @classmethod
    def _is_long(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < MIN_TOKEN_LENGTH:
            raise ValueError(f"expected at least {MIN_TOKEN_LENGTH} characters")
        return token

    @model_validator(mode="after")
    def _bootstrap_is_whole(self) -> Self:
        if (self.bootstrap_account_sid is None) != (self.bootstrap_auth_token is None):
            raise ValueError(
                f"{PREFIX}BOOTSTRAP_ACCOUNT_SID and {PREFIX}BOOTSTRAP_AUTH_TOKEN: expected both or neither"
            )
        return self


def load_settings(**overrides: Any) -> Settings:
    """From the environment; what the command line says wins. Raises `SettingsError`."""
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = f"{PREFIX}{str(first['loc'][0]).upper()}: " if first["loc"] else ""
        raise SettingsError(f"{name}{first['msg'].removeprefix('Value error, ')}") from None
