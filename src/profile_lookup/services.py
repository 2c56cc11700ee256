"""What one process that serves has, made once by `app.py`: typed, so that mypy sees each use of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from profile_lookup.database.pool import Database
from profile_lookup.database.signing_key import SigningKey
from profile_lookup.settings import Settings

if TYPE_CHECKING:  # features use this module; it knows them by type alone
    from profile_lookup.imports.s3 import Bucket
    from profile_lookup.ingest.group_ingest import GroupIngest
    from profile_lookup.lookup.profile_lookup import ProfileLookup
    from profile_lookup.stores.admission import Admissions


@dataclass(frozen=True, slots=True)
class Services:
    """`bucket` is None where files of imports are uploaded to this service itself."""

    settings: Settings
    database: Database
    signing_key: SigningKey
    admissions: "Admissions"
    lookup: "ProfileLookup"
    group_ingest: "GroupIngest"
    bucket: "Bucket | None"
