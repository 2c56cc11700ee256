"""The JSON bodies of API keys and of the auth token."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from profile_lookup.accounts.administration import MAX_OVERLAP
from profile_lookup.accounts.grants import MAX_NAME, SCOPES, Grant, Scope, expiry_of
from profile_lookup.token_buckets import HIGHEST_RATE, LOWEST_RATE, RateLimit
from profile_lookup.web import ids
from profile_lookup.web.wire import AnswerModel, Body, MayBeAbsent, Meta, Storable, WireModel, WireTime

MAX_STORES = 1000

_NAME = Field(max_length=MAX_NAME, description="A name for people; it need not be unique.", examples=["call centre"])


def _distinct(scopes: list[Scope]) -> list[Scope]:
    if len(set(scopes)) < len(scopes):
        raise PydanticCustomError("distinct", "List should name each scope once")
    return scopes


def _store_uuid(wire_id: Any) -> Any:
    uuid = ids.store_uuid(wire_id) if isinstance(wire_id, str) else None
    if uuid is not None:
        return uuid
    raise PydanticCustomError("store_id", "String should be the ID of a store")


def _time(sent: Any) -> Any:
    time = expiry_of(sent) if isinstance(sent, str) else None
    if time is not None:
        return time
    raise PydanticCustomError(
        "time", "String should be a time with its zone, from 1970 on, such as 2027-01-15T10:15:30Z"
    )


Scopes = Annotated[
    list[Scope],
    Field(
        min_length=1,
        max_length=len(SCOPES),
        json_schema_extra={"uniqueItems": True},
        description="What the key may do; scopes do not include each other.",
        examples=[["lookup", "read"]],
    ),
    AfterValidator(_distinct),
]
StoreIds = Annotated[
    list[Annotated[UUID, BeforeValidator(_store_uuid, json_schema_input_type=str)]],
    Field(
        min_length=1,
        max_length=MAX_STORES,
        description="The only stores that the key is for. Without it, the key is for all stores of the account.",
        json_schema_extra={"items": {"type": "string", "pattern": ids.STORE_ID_PATTERN}},
        examples=[[ids.EXAMPLE_STORE_ID]],
    ),
]
ExpiresAt = Annotated[
    AwareDatetime,
    BeforeValidator(_time, json_schema_input_type=str),
    Field(
        description="The time from which the key is refused. Without it, the key does not expire.",
        json_schema_extra={"type": "string", "format": "date-time"},
        examples=["2027-01-15T10:15:30Z"],
    ),
]


class RateLimitBody(WireModel):
    """The rate limit of a key. Its bucket holds `burst` requests, and is refilled continuously."""

    per_second: float = Field(
        ge=LOWEST_RATE, le=HIGHEST_RATE, description="Requests per second on average.", examples=[50]
    )
    burst: int = Field(ge=1, le=HIGHEST_RATE, description="The most requests at once.", examples=[100])

    def to_domain(self) -> RateLimit:
        return RateLimit(self.per_second, self.burst)


class KeyRequest(WireModel):
    name: Annotated[str, _NAME, Storable] = ""
    scopes: Scopes
    store_ids: Annotated[StoreIds | None, MayBeAbsent] = None
    rate_limit: Annotated[RateLimitBody | None, MayBeAbsent] = None
    expires_at: Annotated[ExpiresAt | None, MayBeAbsent] = None

    def to_domain(self) -> Grant:
        stores, limit = _stores_and_limit(self)
        return Grant(frozenset(self.scopes), stores, limit, self.expires_at)


class KeyPatch(Body):
    """Members that are left out stay as they are. Null removes `storeIds`, `rateLimit` or `expiresAt`."""

    name: Annotated[str, _NAME, Storable] = ""
    scopes: Scopes = Field(default_factory=list)
    store_ids: StoreIds | None = None
    rate_limit: RateLimitBody | None = None
    expires_at: ExpiresAt | None = None

    def name_after(self, before: str) -> str:
        return self.name if "name" in self.model_fields_set else before

    def grant_after(self, before: Grant) -> Grant:
        """Return the grant that a key with the grant `before` has after this change."""
        sent = self.model_fields_set
        stores, limit = _stores_and_limit(self)
        return Grant(
            frozenset(self.scopes) if "scopes" in sent else before.scopes,
            stores if "store_ids" in sent else before.store_ids,
            limit if "rate_limit" in sent else before.rate_limit,
            self.expires_at if "expires_at" in sent else before.expires_at,
        )


def _stores_and_limit(sent: KeyRequest | KeyPatch) -> tuple[frozenset[UUID] | None, RateLimit | None]:
    return (
        None if sent.store_ids is None else frozenset(sent.store_ids),
        None if sent.rate_limit is None else sent.rate_limit.to_domain(),
    )


class RateLimitAnswer(AnswerModel):
    per_second: float
    burst: int


class KeyAnswer(AnswerModel):
    """An API key, without its secret."""

    sid: str = Field(pattern=ids.KEY_SID_PATTERN, description="The user name of HTTP Basic.")
    name: str
    scopes: list[Scope]
    store_ids: list[Annotated[str, Field(pattern=ids.STORE_ID_PATTERN)]] | SkipJsonSchema[None] = None
    rate_limit: RateLimitAnswer | SkipJsonSchema[None] = None
    expires_at: WireTime | SkipJsonSchema[None] = None
    created_at: WireTime
    last_used_at: WireTime | SkipJsonSchema[None] = Field(
        default=None, description="The time of the last use, which may be five minutes old."
    )

    @classmethod
    def of_row(cls, row: Row[Any], **more: Any) -> Self:
        limited = row.rate_per_second is not None
        return cls(
            sid=row.sid,
            name=row.name,
            scopes=[scope for scope in SCOPES if scope in row.scopes],
            store_ids=None if row.store_ids is None else [ids.store_id(each) for each in row.store_ids],
            rate_limit=RateLimitAnswer(per_second=row.rate_per_second, burst=row.rate_burst) if limited else None,
            expires_at=row.expires_at,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            **more,
        )


class NewKey(KeyAnswer):
    """A new API key with its secret."""

    secret: str = Field(description="The password of HTTP Basic. It is shown this once.")


class KeyList(AnswerModel):
    keys: list[KeyAnswer]
    meta: Meta


class RotationRequest(WireModel):
    overlap_seconds: int = Field(
        default=0,
        ge=0,
        le=MAX_OVERLAP,
        description="How long the former token is accepted beside the new one, in seconds.",
        examples=[3600],
    )


class NewToken(AnswerModel):
    auth_token: str = Field(description="The new auth token. It is shown this once.")
