"""The services of a process that serves. `app.py` makes them once; they are typed, so that mypy checks each use."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profile_lookup.audit.audit_log import AuditLog
from profile_lookup.bucket_tables import BucketTables
from profile_lookup.database.pool import Database
from profile_lookup.database.signing_key import SigningKey
from profile_lookup.overload import LoadLimits
from profile_lookup.settings import Settings

if TYPE_CHECKING:  # features import this module, so it imports only their types
    from profile_lookup.accounts.last_use import LastUse
    from profile_lookup.accounts.rate_limits import RateLimits
    from profile_lookup.history.feed_waits import FeedWaits
    from profile_lookup.imports.s3 import Bucket
    from profile_lookup.ingest.group_ingest import GroupIngest
    from profile_lookup.lookup.batch_lookup import BatchLookup
    from profile_lookup.lookup.profile_lookup import ProfileLookup
    from profile_lookup.metrics.exporter import Exporter
    from profile_lookup.stores.admission import Admissions


@dataclass(frozen=True, slots=True)
class Services:
    """`bucket` is None if the files of imports are uploaded to this service itself.

    `exporter` is None if nobody reads metrics, and `audit` if requests are not recorded.
    `stopping` is set when the process begins to stop: it still serves, but load balancers are to choose others.
    `ending` is set when it closes its connections.
    """

    settings: Settings
    database: Database
    signing_key: SigningKey
    buckets: BucketTables
    rate_limits: "RateLimits"
    last_use: "LastUse"
    load_limits: LoadLimits
    admissions: "Admissions"
    lookup: "ProfileLookup"
    batch_lookup: "BatchLookup"
    group_ingest: "GroupIngest"
    feed_waits: "FeedWaits"
    bucket: "Bucket | None"
    exporter: "Exporter | None"
    audit: AuditLog | None
    stopping: asyncio.Event
    ending: asyncio.Event
