"""The fields of a form about a key, and what they say in the words of the API's bodies."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import Row

from profile_lookup.accounts.grants import SCOPES
from profile_lookup.console.forms import Form
from profile_lookup.web import ids
from profile_lookup.web.etags import etag

ALL_STORES = "all"
_WITHOUT_ZONE = re.compile(r"[\d-]+[T ][\d:.]+")


@dataclass(frozen=True, slots=True)
class KeyFields:
    """What a form shows, or what was typed into it. `stores` says whether the key is for all stores."""

    name: str = ""
    scopes: Collection[str] = ("lookup", "read")
    stores: str = ""
    store_ids: Collection[str] = field(default_factory=list)
    per_second: str = ""
    burst: str = ""
    expires_at: str = ""
    if_match: str = ""

    @classmethod
    def of_form(cls, form: Form) -> Self:
        return cls(
            name=form.text("name"),
            scopes=form.texts("scopes"),
            stores=form.text("stores"),
            store_ids=form.texts("storeIds"),
            per_second=form.text("rateLimit.perSecond"),
            burst=form.text("rateLimit.burst"),
            expires_at=form.text("expiresAt"),
            if_match=form.text("ifMatch"),
        )

    @classmethod
    def of_key(cls, row: Row[Any]) -> Self:
        return cls(
            name=row.name,
            scopes=[scope for scope in SCOPES if scope in row.scopes],
            stores=ALL_STORES if row.store_ids is None else "",
            store_ids=[ids.store_id(each) for each in row.store_ids or ()],
            per_second="" if row.rate_per_second is None else f"{row.rate_per_second:g}",
            burst="" if row.rate_burst is None else str(row.rate_burst),
            expires_at="" if row.expires_at is None else _typed_time(row.expires_at),
            if_match=etag(row.version, row.created_at),
        )

    @property
    def body(self) -> dict[str, object]:
        """The members of the API's body. Null stands for a limit that the key does not have."""
        return {
            "name": self.name,
            "scopes": list(self.scopes),
            "storeIds": None if self.stores == ALL_STORES else list(self.store_ids),
            "rateLimit": self._rate_limit(),
            "expiresAt": self._expires_at(),
        }

    def _rate_limit(self) -> dict[str, object] | None:
        typed = {"perSecond": self.per_second.strip(), "burst": self.burst.strip()}
        return {name: _number(text) for name, text in typed.items() if text} or None

    def _expires_at(self) -> str | None:
        """Return the time that was typed, in UTC unless it names a zone."""
        typed = self.expires_at.strip()
        return f"{typed}Z" if _WITHOUT_ZONE.fullmatch(typed) else typed or None


def _typed_time(moment: datetime) -> str:
    """Return a time as the field for local times has it, but in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _number(text: str) -> object:
    """Return the number in a text; or the text, which is then refused as it is in a body."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
