"""A store to try things on: a demo account, its key, and people from all over the world, some of them merged."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote

import phonenumbers

from profile_lookup.accounts import queries as accounts
from profile_lookup.accounts.credentials import (
    Credentials,
    digest,
    new_account_sid,
    new_key_sid,
    new_secret,
)
from profile_lookup.database.engine import Database
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.traits import promoted_identifiers, read_traits
from profile_lookup.profiles.ingest import ingest
from profile_lookup.profiles.lookup import KnownStores, look_up
from profile_lookup.profiles.queries import trait_groups
from profile_lookup.settings import Settings
from profile_lookup.stores import queries as stores
from profile_lookup.stores.admission import admit
from profile_lookup.web import ids

STORE_NAME = "demo"
_FILE = "demo.json"

Person = dict[str, str]


@dataclass(frozen=True, slots=True)
class Demo:
    """All that a client needs. Secrets, but of demo data only."""

    account_sid: str
    auth_token: str
    api_key: str
    api_secret: str
    store_id: str

    def for_client(self, base_url: str) -> dict[str, str]:
        return {
            "baseUrl": base_url,
            "accountSid": self.account_sid,
            "authToken": self.auth_token,
            "apiKey": self.api_key,
            "apiSecret": self.api_secret,
            "storeId": self.store_id,
        }

    def curl(self, base_url: str) -> str:
        """One line for a shell: a Lookup of a phone number whose profile was merged into an earlier one."""
        body = json.dumps({"idType": "phone", "value": _MERGED_PHONE})
        return (
            f"curl -s -u {self.api_key}:{self.api_secret} -H 'Content-Type: application/json' -d {quote(body)} "
            f"{base_url}/v1/Stores/{self.store_id}/Profiles/Lookup"
        )
