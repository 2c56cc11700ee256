"""The settings of the service, which each command reads once from the environment."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from profile_lookup.database.embedded.directories import default_cache_dir, default_data_dir
from profile_lookup.database.hosts import urls_of_standbys
from profile_lookup.ephemeral_settings import EphemeralSettings
from profile_lookup.errors import OperatorError
from profile_lookup.limit_settings import LimitSettings
from profile_lookup.observation_settings import ObservationSettings
from profile_lookup.setting_types import (
    MIN_TOKEN_LENGTH,
    AuthToken,
    BaseUrl,
    Bucket,
    DatabaseUrl,
    Hosts,
    Networks,
    StandbyUrls,
)

PREFIX = "PROFILE_LOOKUP_"


class SettingsError(OperatorError):
    """A setting has a value that it cannot have; the message never shows the value."""


class Settings(ObservationSettings, EphemeralSettings, LimitSettings):
    """The settings. The descriptions are also those of `docs/settings.md`, as `profile-lookup settings` prints them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: Annotated[
        DatabaseUrl | None,
        Field(
            description="The database, on PostgreSQL 17 or 18: `postgresql://user:password@host:5432/database`. "
            "It may name several hosts, `host:5432,host:5432`, of which the primary is used. Unset: the embedded one."
        ),
    ] = None
    read_database_urls: Annotated[
        StandbyUrls | None,
        Field(
            description="Standbys of that database, separated by commas, which answer lookups and other reads of "
            "profiles: `postgresql://user:password@standby1:5432/database,postgresql://…`. No answer is older than it "
            "would be without them (`docs/scaling.md`)."
        ),
    ] = None
    data_dir: Annotated[
        Path,
        Field(
            default_factory=default_data_dir,
            description="The directory of the embedded database and of the demo's credentials. "
            "Unset: `/var/lib/profile-lookup` for root, else the user's data directory.",
        ),
    ]
    cache_dir: Annotated[
        Path,
        Field(
            default_factory=default_cache_dir,
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
            description="Database connections of each process that answers requests, in addition to six for "
            "lookups, batches of them and admissions. The process that works on operations has at most 16.",
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
    stop_delay_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=300,
            description="How long the service still serves after SIGTERM, in seconds, while `/readyz` answers 503: so "
            "long as a load balancer needs to notice. Ctrl-C stops it at once, and so does 0.",
        ),
    ] = 5
    public_url: Annotated[
        BaseUrl | None,
        Field(
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
        Networks,
        Field(
            description="Proxies whose `X-Forwarded-Proto` and `X-Forwarded-For` are trusted: addresses and networks, "
            "separated by commas, or `*` for all.",
        ),
    ] = "127.0.0.1"
    allowed_hosts: Annotated[
        Hosts | None,
        Field(
            description="The hosts that requests may name, separated by commas: `id.example.com`, or `*.example.com` "
            "for its subdomains. Health checks may name any. Unset: all may.",
        ),
    ] = None
    max_stores: Annotated[int, Field(ge=1, description="How many stores an account may have.")] = 15
    upload_dir: Annotated[
        Path | None,
        Field(
            description="The directory of the files of imports, each up to 100 MiB. A file is there only while it is "
            "received or read. Unset: `uploads` in the data directory."
        ),
    ] = None
    upload_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=604_800,
            description="How long an import waits for its file, or its start, in seconds.",
        ),
    ] = 3600
    s3_bucket: Annotated[
        Bucket | None,
        Field(
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
        AuthToken | None,
        Field(
            description=f"The auth token of that account, at least {MIN_TOKEN_LENGTH} characters. They should be "
            "letters and digits, because the Go SDK sends no others."
        ),
    ] = None
    direct_lookups: Annotated[
        bool, Field(description="Whether connections answer usual Lookups themselves; not with `LOG_REQUESTS`.")
    ] = True
    console: Annotated[
        bool, Field(description="Whether the console, pages for people, is served at `/console` (`docs/console.md`).")
    ] = True

    @property
    def upload_directory(self) -> Path:
        return self.upload_dir or self.data_dir / "uploads"

    @property
    def standby_urls(self) -> Sequence[str]:
        return () if self.read_database_urls is None else urls_of_standbys(self.read_database_urls.get_secret_value())

    def with_database_url(self, url: str) -> Self:
        """Return these settings with this database."""
        return self.model_copy(update={"database_url": SecretStr(url)})

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
