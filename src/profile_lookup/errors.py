"""All errors, named as facts. The HTTP status and code of each error are in `web/contract.py`.

    ProfileLookupError
    ├── Unauthenticated             the credentials are missing or wrong
    ├── AccessDenied                the credentials are right, but do not allow this
    │   ├── ScopeMissing            the API key does not have the scope
    │   ├── AccountTokenNeeded      only the account's own SID and auth token may do this
    │   ├── AllStoresNeeded         a key for certain stores may not do this
    │   └── GrantExceeded           an API key would get more than its maker has
    ├── UploadRefused               the upload's address is invalid or has expired
    ├── RequestRefused              the request itself is not well-formed
    │   ├── IdMalformed             an ID in the path is malformed
    │   │   └── StoreIdMalformed, OperationIdMalformed
    │   ├── KeySidMalformed         a key's SID in the path is malformed
    │   ├── PageTokenRefused        not a token of this list
    │   ├── FeedTokenRefused        not a token of this store's feed
    │   ├── DefinitionRefused       a trait's definition contradicts itself
    │   ├── FileRefused             an import's file is not what was announced, or cannot be read
    │   ├── RowRefused              a profile of a batch, or a row of an import's file, cannot be applied
    │   ├── BodyTooLarge
    │   ├── TooManyValues           a JSON body has so many values that parsing it would delay all other requests
    │   ├── TooDeep                 the brackets of a JSON body are nested too deep
    │   ├── HeadTooLarge            the request's line and headers are too long
    │   ├── RequestTooSlow          the request did not arrive in time
    │   ├── JoinRefused             an event cannot be undone
    │   ├── MediaTypeRefused
    │   └── ContentEncodingRefused  the body is compressed
    ├── NotFound
    │   ├── StoreNotFound, StoreNotActive, OperationNotFound, TraitGroupNotFound, ProfileNotFound, ImportNotFound,
    │   │   KeyNotFound
    │   ├── IdentifierNotFound      the profile has no identifier of this type
    │   ├── MemoryHalfAbsent        the address belongs to the half of the API that this service does not have
    │   ├── SeparationNotFound      the two profiles are not kept apart
    │   ├── NothingToReplace        the profile does not have the value that should be replaced
    │   └── NothingToRemove         the profile has no value that could be removed
    ├── ProfileMoved                the profile was merged into the profile `canonical_id`
    ├── IdentifierRefused           an identifier cannot be searched or stored
    │   ├── UnknownIdentifierType   its type is not configured in the store
    │   └── ValueRefused            its value does not normalize
    ├── TraitsRefused               the store's trait groups do not define the traits, or the traits identify nobody
    │   ├── TraitValueRefused       a trait's definition does not allow the value
    │   └── NothingUnblocked        all values that are promoted to identifiers are blocked
    ├── SettingsRefused             identity resolution settings contradict themselves or the stored data
    ├── DefinitionProtected         every store has this trait group or trait
    ├── StoreNameTaken              another store of the account has this display name
    ├── TraitGroupNameTaken         another trait group of the store has this name
    ├── StoreLimitReached           the account has as many stores as it may have
    ├── TraitGroupLimitReached      the store has as many trait groups as it may have
    ├── TraitLimitReached           the trait group has as many traits as it may have
    ├── Conflict
    │   ├── IdentifierConflict      a value that may neither be shared nor merge belongs to another profile
    │   │   └── IdentifierKeptApart   it belongs to a profile that is kept apart from the one it is added to
    │   ├── AlreadyUndone           a join that should be undone was undone before
    │   ├── AlreadyUploaded         the import has its file already
    │   ├── ImportEnded             an import that should be cancelled has ended already
    │   ├── ImportUnfinished        an import that should be undone has not ended yet
    │   └── StillBeingRemoved       the values of a trait or group that had this name are still being deleted
    ├── Outdated                    the resource is no longer what `If-Match` says
    ├── TooManyRequests             a key, an account or an address sends more requests than it may
    │   └── TooManyOperations       as many operations are unfinished as the store or account may have
    └── Unavailable                 the database is unreachable, overloaded or too slow
        ├── Overloaded              so many requests are under way that this one would wait for too long
        ├── OutcomeUnknown          the connection was lost during a commit, so the write may have been done
        └── NotMigrated             the database does not have this version's schema

Messages are for people, and clients read them. They say what was expected, and never contain an identifier's value.
"""

from collections.abc import Iterable
from uuid import UUID

_MAX_NAMED = 5  # blocked values in one message
_SECONDS_TO_NEXT_OPERATION = 5  # a guess: a batch takes less, and an import may take minutes


class ProfileLookupError(Exception):
    """The root of all errors that this service raises on purpose."""


class OperatorError(Exception):
    """Why a command cannot be carried out, as one line for its operator; it never shows a secret."""


class Unauthenticated(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("Failed to complete request due to lack of authentication credentials")


class AccessDenied(ProfileLookupError):
    def __init__(self, reason: str) -> None:
        super().__init__(f"Permission to access resource denied: {reason}")


class ScopeMissing(AccessDenied):
    def __init__(self, scope: str) -> None:
        super().__init__(f"this API key does not have the scope {scope}")


class AccountTokenNeeded(AccessDenied):
    def __init__(self) -> None:
        super().__init__("expected the account's own SID and auth token")


class AllStoresNeeded(AccessDenied):
    def __init__(self) -> None:
        super().__init__("expected an API key for all stores, or the account's own SID and auth token")


class GrantExceeded(AccessDenied):
    def __init__(self) -> None:
        super().__init__(
            "this API key can give another one only scopes, storeIds, a rateLimit and an expiresAt within its own"
        )


class UploadRefused(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("Permission to upload denied: expected the url of an import, before it expires")


class RequestRefused(ProfileLookupError):
    pass


class IdMalformed(RequestRefused):
    """`parameter` is the ID's name in the path, unless the kind says it."""

    def __init__(self, kind: str, parameter: str | None = None) -> None:
        super().__init__(
            f"{parameter or f'{kind}Id'}: expected mem_{kind}_ and 26 characters, the first 0-7, the others 0-9 or a-z"
        )


class StoreIdMalformed(IdMalformed):
    def __init__(self) -> None:
        super().__init__("store")


class OperationIdMalformed(IdMalformed):
    def __init__(self) -> None:
        super().__init__("operation")


class KeySidMalformed(RequestRefused):
    def __init__(self) -> None:
        super().__init__("keySid: expected SK and 32 characters, each 0-9 or a-f")


class FileRefused(RequestRefused):
    """`reason` says what was expected of the file, and in which line."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"file: {reason}")


class RowRefused(RequestRefused):
    """`column` is None when the row is refused as a whole, and for a profile of a batch."""

    def __init__(self, column: str | None, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


class JoinRefused(RequestRefused):
    """`position` is the event's in the request; `expected` says what it is not."""

    def __init__(self, position: int, expected: str) -> None:
        super().__init__(f"events.{position}: expected {expected}")
        self.position = position
        self.expected = expected


class PageTokenRefused(RequestRefused):
    def __init__(self) -> None:
        super().__init__(
            "pageToken: expected a nextToken or previousToken of this very list, in this order, of the last 7 days"
        )


class FeedTokenRefused(RequestRefused):
    def __init__(self) -> None:
        super().__init__("after: expected a nextToken of the feed of this very store")


class DefinitionRefused(RequestRefused):
    pass


class BodyTooLarge(RequestRefused):
    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit} bytes")


class TooManyValues(BodyTooLarge):
    def __init__(self, limit: int) -> None:
        RequestRefused.__init__(self, f"The request body has more than {limit} values: commas and opening brackets")


class TooDeep(RequestRefused):
    def __init__(self, limit: int) -> None:
        super().__init__(f"body: expected at most {limit} levels of nesting")


class HeadTooLarge(RequestRefused):
    def __init__(self, limit: int) -> None:
        super().__init__(f"The request line and the headers are too long: expected at most {limit} bytes")


class RequestTooSlow(RequestRefused):
    def __init__(self) -> None:
        super().__init__("The request came too slowly: expected its head at once, and its body without long pauses")


class MediaTypeRefused(RequestRefused):
    def __init__(self) -> None:
        super().__init__("Unsupported media type: expected Content-Type: application/json")


class ContentEncodingRefused(RequestRefused):
    def __init__(self) -> None:
        super().__init__("Unsupported Content-Encoding: expected a body that is not compressed")


class NotFound(ProfileLookupError):
    def __init__(self, message: str = "Not Found") -> None:
        super().__init__(message)


class StoreNotFound(NotFound):
    pass


class StoreNotActive(NotFound):
    pass


class OperationNotFound(NotFound):
    pass


class TraitGroupNotFound(NotFound):
    pass


class ProfileNotFound(NotFound):
    pass


class ImportNotFound(NotFound):
    pass


class KeyNotFound(NotFound):
    pass


class IdentifierNotFound(NotFound):
    pass


class SeparationNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("These two profiles are not kept apart")


class MemoryHalfAbsent(NotFound):
    def __init__(self) -> None:
        super().__init__(
            "This service has no Observations, ConversationSummaries and Recall: it has the identity half of the API "
            "only. The profile may exist"
        )


class NothingToReplace(NotFound):
    pass


class NothingToRemove(NotFound):
    pass


class ProfileMoved(ProfileLookupError):
    """The profile was merged; the same request succeeds with the ID of the canonical profile."""

    def __init__(self, canonical_id: UUID) -> None:
        super().__init__("This resource has moved.")
        self.canonical_id = canonical_id


class IdentifierRefused(ProfileLookupError):
    pass


class UnknownIdentifierType(IdentifierRefused):
    """`configured` names the identifier types that the store knows."""

    def __init__(self, configured: tuple[str, ...]) -> None:
        super().__init__(f"idType: not configured in this store; expected one of {', '.join(configured)}")


class ValueRefused(IdentifierRefused):
    """`reason` says which rule of normalization the value broke, never the value."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"value: {reason}")
        self.reason = reason


class TraitsRefused(ProfileLookupError):
    pass


class TraitValueRefused(TraitsRefused):
    """`trait` is the trait's name, and `expected` says what its value should have been."""

    def __init__(self, trait: str, expected: str) -> None:
        super().__init__(f"traits.{trait}: {expected}")
        self.trait = trait
        self.expected = expected


class NothingUnblocked(TraitsRefused):
    """`blocked` names each trait, or column, with the reason why its value identifies nobody."""

    def __init__(self, blocked: Iterable[tuple[str, str]]) -> None:
        named = list(dict.fromkeys(f"{name} ({reason})" for name, reason in blocked))
        listed = named if len(named) <= _MAX_NAMED else [*named[:_MAX_NAMED], "…"]
        super().__init__(f"expected a value that identifies somebody; blocked: {', '.join(listed)}")


class SettingsRefused(ProfileLookupError):
    pass


class DefinitionProtected(ProfileLookupError):
    """`what` names the trait group or trait."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is there in every store: it can neither be removed nor become something else")


class StoreNameTaken(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("displayName: another store of this account already has this name")


class TraitGroupNameTaken(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("displayName: another trait group of this store already has this name")


class StoreLimitReached(ProfileLookupError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"This account already has {limit} stores, its limit")


class TraitGroupLimitReached(ProfileLookupError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"This store already has {limit} trait groups, its limit")


class TraitLimitReached(ProfileLookupError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"traits: expected at most {limit} in a trait group")


class Conflict(ProfileLookupError):
    pass


class IdentifierConflict(Conflict):
    def __init__(self, id_type: str) -> None:
        super().__init__(
            f"A value of idType {id_type} belongs to another profile; it is unique and not a matching rule, "
            "so it can neither be shared nor merge the two"
        )
        self.id_type = id_type


class IdentifierKeptApart(IdentifierConflict):
    def __init__(self, id_type: str) -> None:
        Conflict.__init__(self, f"A value of idType {id_type} belongs to a profile that is kept apart from this one")
        self.id_type = id_type


class AlreadyUndone(Conflict):
    def __init__(self, position: int) -> None:
        super().__init__(f"events.{position}: this join was undone already")


class AlreadyUploaded(Conflict):
    def __init__(self) -> None:
        super().__init__("The file of this import was uploaded already: create another import")


class ImportEnded(Conflict):
    def __init__(self) -> None:
        super().__init__("This import has ended already, so there is nothing to cancel. It can be undone")


class ImportUnfinished(Conflict):
    def __init__(self) -> None:
        super().__init__("This import has not ended yet: cancel it, or wait for its end, before you undo it")


class StillBeingRemoved(Conflict):
    def __init__(self) -> None:
        super().__init__("What had this name before is still being removed: try again when that operation has ended")


class Outdated(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("If-Match: the resource has changed since; fetch it again for its current ETag")


class TooManyRequests(ProfileLookupError):
    """`retry_after` says in how many seconds the same request is not too many, if no others are sent until then."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many requests. Please retry according to the Retry-After response header.")
        self.retry_after = retry_after


class TooManyOperations(TooManyRequests):
    """`owner` is the store or the account, and `what` says what it may have at most `limit` of."""

    def __init__(self, owner: str, what: str, limit: int) -> None:
        ProfileLookupError.__init__(self, f"This {owner} already has {limit} {what}, its limit")
        self.retry_after = _SECONDS_TO_NEXT_OPERATION


class Unavailable(ProfileLookupError):
    def __init__(self, reason: str = "the database did not answer in time") -> None:
        super().__init__(f"Service Unavailable: {reason}")


class Overloaded(Unavailable):
    def __init__(self) -> None:
        super().__init__("more requests are under way than can be answered soon. Nothing was done; try again later")


class OutcomeUnknown(Unavailable):
    def __init__(self) -> None:
        super().__init__(
            "the connection to the database was lost while the request was being committed, so it may have been done. "
            "A create may be repeated; before you repeat any other write, look whether it was done"
        )


class NotMigrated(Unavailable):
    def __init__(self) -> None:
        super().__init__("run `profile-lookup migrate`")
