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
    │   │   └── EncodingRefused     it can be read if its sender names another encoding
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
        ├── SchemaTooNew            the database's schema is of a newer version and no longer serves this one
        ├── NotMigrated             the database's schema lacks migrations of this version
        └── StandbyLost             a standby was lost during a read, which the primary can do instead

Messages are for people, and clients read them. They say what was expected, and never contain an identifier's value.
"""

from profile_lookup.errors.absence import (
    IdentifierNotFound,
    ImportNotFound,
    KeyNotFound,
    MemoryHalfAbsent,
    NotFound,
    NothingToRemove,
    NothingToReplace,
    OperationNotFound,
    ProfileMoved,
    ProfileNotFound,
    SeparationNotFound,
    StoreNotActive,
    StoreNotFound,
    TraitGroupNotFound,
)
from profile_lookup.errors.access import (
    AccessDenied,
    AccountTokenNeeded,
    AllStoresNeeded,
    GrantExceeded,
    ScopeMissing,
    Unauthenticated,
    UploadRefused,
)
from profile_lookup.errors.conflicts import (
    AlreadyUndone,
    AlreadyUploaded,
    Conflict,
    IdentifierConflict,
    IdentifierKeptApart,
    ImportEnded,
    ImportUnfinished,
    Outdated,
    StillBeingRemoved,
    StoreNameTaken,
    TraitGroupNameTaken,
)
from profile_lookup.errors.load import (
    NotMigrated,
    OutcomeUnknown,
    Overloaded,
    SchemaTooNew,
    StandbyLost,
    TooManyOperations,
    TooManyRequests,
    Unavailable,
)
from profile_lookup.errors.refusals import (
    DefinitionProtected,
    IdentifierRefused,
    NothingUnblocked,
    SettingsRefused,
    StoreLimitReached,
    TraitGroupLimitReached,
    TraitLimitReached,
    TraitsRefused,
    TraitValueRefused,
    UnknownIdentifierType,
    ValueRefused,
)
from profile_lookup.errors.requests import (
    BodyTooLarge,
    ContentEncodingRefused,
    DefinitionRefused,
    EncodingRefused,
    FeedTokenRefused,
    FileRefused,
    HeadTooLarge,
    IdMalformed,
    JoinRefused,
    KeySidMalformed,
    MediaTypeRefused,
    OperationIdMalformed,
    PageTokenRefused,
    RequestRefused,
    RequestTooSlow,
    RowRefused,
    StoreIdMalformed,
    TooDeep,
    TooManyValues,
)
from profile_lookup.errors.root import OperatorError, ProfileLookupError

__all__ = [
    "AccessDenied",
    "AccountTokenNeeded",
    "AllStoresNeeded",
    "AlreadyUndone",
    "AlreadyUploaded",
    "BodyTooLarge",
    "Conflict",
    "ContentEncodingRefused",
    "DefinitionProtected",
    "DefinitionRefused",
    "EncodingRefused",
    "FeedTokenRefused",
    "FileRefused",
    "GrantExceeded",
    "HeadTooLarge",
    "IdMalformed",
    "IdentifierConflict",
    "IdentifierKeptApart",
    "IdentifierNotFound",
    "IdentifierRefused",
    "ImportEnded",
    "ImportNotFound",
    "ImportUnfinished",
    "JoinRefused",
    "KeyNotFound",
    "KeySidMalformed",
    "MediaTypeRefused",
    "MemoryHalfAbsent",
    "NotFound",
    "NotMigrated",
    "NothingToRemove",
    "NothingToReplace",
    "NothingUnblocked",
    "OperationIdMalformed",
    "OperationNotFound",
    "OperatorError",
    "OutcomeUnknown",
    "Outdated",
    "Overloaded",
    "PageTokenRefused",
    "ProfileLookupError",
    "ProfileMoved",
    "ProfileNotFound",
    "RequestRefused",
    "RequestTooSlow",
    "RowRefused",
    "SchemaTooNew",
    "ScopeMissing",
    "SeparationNotFound",
    "SettingsRefused",
    "StandbyLost",
    "StillBeingRemoved",
    "StoreIdMalformed",
    "StoreLimitReached",
    "StoreNameTaken",
    "StoreNotActive",
    "StoreNotFound",
    "TooDeep",
    "TooManyOperations",
    "TooManyRequests",
    "TooManyValues",
    "TraitGroupLimitReached",
    "TraitGroupNameTaken",
    "TraitGroupNotFound",
    "TraitLimitReached",
    "TraitValueRefused",
    "TraitsRefused",
    "Unauthenticated",
    "Unavailable",
    "UnknownIdentifierType",
    "UploadRefused",
    "ValueRefused",
]
