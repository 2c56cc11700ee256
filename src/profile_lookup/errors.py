"""What can go wrong, as facts; the HTTP status and code of each live in `web/errors.py`.

    ProfileLookupError
    ├── Unauthenticated             no credentials, or wrong ones
    ├── ScopeMissing                the API key may not do this
    ├── UploadRefused               the address for an upload is none, or no longer
    ├── RequestRefused              the request itself is not well-formed
    │   ├── StoreIdMalformed
    │   ├── ProfileIdMalformed
    │   ├── OperationIdMalformed
    │   ├── PageTokenRefused        not a token of this list
    │   ├── DefinitionRefused       a trait's definition contradicts itself
    │   ├── ImportIdMalformed
    │   ├── FileRefused             an import's file that is not what was announced, or that cannot be read
    │   ├── RowRefused              a row of it
    │   ├── BodyTooLarge
    │   └── MediaTypeRefused
    ├── NotFound
    │   ├── StoreNotFound
    │   ├── StoreNotActive
    │   ├── OperationNotFound
    │   ├── TraitGroupNotFound
    │   ├── ProfileNotFound
    │   ├── ImportNotFound
    │   ├── IdentifierNotFound      the profile has none of this type
    │   ├── NothingToReplace        the profile has not the value that should be replaced
    │   └── NothingToRemove         the profile has no value that could be removed
    ├── ProfileMoved                it was merged: `canonical_id` is who it is now
    ├── IdentifierRefused           an identifier that cannot be searched or stored
    │   ├── UnknownIdentifierType   its type is not configured in the store
    │   └── ValueRefused            its value does not normalize
    ├── TraitsRefused               traits that the store's trait groups do not know, or that identify nobody
    │   └── TraitValueRefused       a value that its trait's definition does not allow
    ├── SettingsRefused             identity resolution settings that contradict themselves, or what is stored
    ├── DefinitionProtected         a trait group or trait that every store has
    ├── NameTaken
    │   ├── StoreNameTaken          another store of the account has this display name
    │   └── TraitGroupNameTaken     another trait group of the store has it
    ├── LimitReached
    │   ├── StoreLimitReached       the account has as many stores as it may have
    │   ├── TraitGroupLimitReached  the store has as many trait groups
    │   └── TraitLimitReached       the trait group has as many traits
    ├── Conflict
    │   ├── IdentifierConflict      a value that may neither be shared nor merge belongs to another profile
    │   ├── AlreadyUploaded         an import takes one file
    │   └── StillBeingRemoved       what had this name before is not yet gone
    ├── Outdated                    the resource is no longer what `If-Match` says
    └── Unavailable                 the database is away, overloaded or too slow
        └── NotMigrated             its schema is not this version's

Beside them, `OperatorError` is what keeps a command or the service itself from running.

Messages are for people and leave the process: they say what was expected, and never carry an identifier's value.
"""

import re
from uuid import UUID

_LOOKS_LIKE_A_NAME = re.compile("[A-Za-z][A-Za-z_-]{0,29}[0-9]{0,3}")


def nameable(name: str) -> str:
    """A field's or trait's name for a message; a client may have put a value there, so only what looks like a name."""
    return name if _LOOKS_LIKE_A_NAME.fullmatch(name) else "(a name)"


class ProfileLookupError(Exception):
    """The root: whatever this service refuses or fails to do on purpose."""


class OperatorError(Exception):
    """Why a command cannot be carried out, as one line for its operator; it never shows a secret."""


class Unauthenticated(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("Failed to complete request due to lack of authentication credentials")


class ScopeMissing(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("Permission to access resource denied: this API key may only look up profiles")


class UploadRefused(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("Permission to upload denied: expected the url of an import, before it expires")


class RequestRefused(ProfileLookupError):
    pass


class StoreIdMalformed(RequestRefused):
    def __init__(self) -> None:
        super().__init__("storeId: expected mem_store_ and 26 characters, the first 0-7, the others 0-9 or a-z")


class OperationIdMalformed(RequestRefused):
    def __init__(self) -> None:
        super().__init__("operationId: expected mem_operation_ and 26 characters, the first 0-7, the others 0-9 or a-z")


class ProfileIdMalformed(RequestRefused):
    def __init__(self) -> None:
        super().__init__("profileId: expected mem_profile_ and 26 characters, the first 0-7, the others 0-9 or a-z")


class ImportIdMalformed(RequestRefused):
    def __init__(self) -> None:
        super().__init__("importId: expected mem_import_ and 26 characters, the first 0-7, the others 0-9 or a-z")


class FileRefused(RequestRefused):
    """`reason` says what was expected of the file, and in which line."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"file: {reason}")


class RowRefused(RequestRefused):
    """`column` is None when it is the row as a whole."""

    def __init__(self, column: str | None, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


class PageTokenRefused(RequestRefused):
    def __init__(self) -> None:
        super().__init__("pageToken: expected a nextToken or previousToken of this very list, in this order")


class DefinitionRefused(RequestRefused):
    pass


class BodyTooLarge(RequestRefused):
    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit} bytes")


class MediaTypeRefused(RequestRefused):
    def __init__(self) -> None:
        super().__init__("Unsupported media type: expected Content-Type: application/json")


class NotFound(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("Not Found")


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


class IdentifierNotFound(NotFound):
    pass


class NothingToReplace(NotFound):
    pass


class NothingToRemove(NotFound):
    pass


class ProfileMoved(ProfileLookupError):
    """Not a refusal: the same request is right under the canonical profile's ID."""

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
    """`trait` is the trait's name, `expected` what its value should have been."""

    def __init__(self, trait: str, expected: str) -> None:
        super().__init__(f"traits.{trait}: {expected}")
        self.trait = trait
        self.expected = expected


class SettingsRefused(ProfileLookupError):
    pass


class DefinitionProtected(ProfileLookupError):
    """`what` names the trait group or trait."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is there in every store: it can neither be removed nor become something else")


class NameTaken(ProfileLookupError):
    pass


class StoreNameTaken(NameTaken):
    def __init__(self) -> None:
        super().__init__("displayName: another store of this account already has this name")


class TraitGroupNameTaken(NameTaken):
    def __init__(self) -> None:
        super().__init__("displayName: another trait group of this store already has this name")


class LimitReached(ProfileLookupError):
    pass


class StoreLimitReached(LimitReached):
    def __init__(self, limit: int) -> None:
        super().__init__(f"This account already has {limit} stores, its limit")


class TraitGroupLimitReached(LimitReached):
    def __init__(self, limit: int) -> None:
        super().__init__(f"This store already has {limit} trait groups, its limit")


class TraitLimitReached(LimitReached):
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


class AlreadyUploaded(Conflict):
    def __init__(self) -> None:
        super().__init__("The file of this import was uploaded already: create another import")


class StillBeingRemoved(Conflict):
    def __init__(self) -> None:
        super().__init__("What had this name before is still being removed: try again when that operation has ended")


class Outdated(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("If-Match: the resource has changed since; fetch it again for its current ETag")


class Unavailable(ProfileLookupError):
    def __init__(self, reason: str = "the database did not answer in time") -> None:
        super().__init__(f"Service Unavailable: {reason}")


class NotMigrated(Unavailable):
    def __init__(self) -> None:
        super().__init__("run `profile-lookup migrate`")
