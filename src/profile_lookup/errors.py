"""What can go wrong, as facts; the HTTP status and code of each live in `web/errors.py`.

    ProfileLookupError
    ├── Unauthenticated             no credentials, or wrong ones
    ├── ScopeMissing                the API key may not do this
    ├── RequestRefused              the request itself is not well-formed
    │   ├── StoreIdMalformed
    │   ├── OperationIdMalformed
    │   ├── BodyTooLarge
    │   └── MediaTypeRefused
    ├── NotFound
    │   ├── StoreNotFound
    │   ├── StoreNotActive
    │   └── OperationNotFound
    ├── IdentifierRefused           an identifier that cannot be searched or stored
    │   ├── UnknownIdentifierType   its type is not configured in the store
    │   └── ValueRefused            its value does not normalize
    ├── TraitsRefused               traits that the store's trait groups do not know, or that identify nobody
    │   └── TraitValueRefused       a value that its trait's definition does not allow
    ├── SettingsRefused             identity resolution settings that contradict themselves
    ├── NameTaken                   another store of the account has this display name
    ├── LimitReached                the account has as many stores as it may have
    ├── IdentifierConflict          a value that may neither be shared nor merge belongs to another profile
    └── Unavailable                 the database is away, overloaded or too slow
        └── NotMigrated             its schema is not this version's

Messages are for people and leave the process: they say what was expected, and never carry an identifier's value.
"""

import re

_LOOKS_LIKE_A_NAME = re.compile("[A-Za-z][A-Za-z_-]{0,29}[0-9]{0,3}")


def nameable(name: str) -> str:
    """A field's or trait's name for a message; a client may have put a value there, so only what looks like a name."""
    return name if _LOOKS_LIKE_A_NAME.fullmatch(name) else "(a name)"


class ProfileLookupError(Exception):
    """The root: whatever this service refuses or fails to do on purpose."""


class Unauthenticated(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("Failed to complete request due to lack of authentication credentials")


class ScopeMissing(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("Permission to access resource denied: this API key may only look up profiles")


class RequestRefused(ProfileLookupError):
    pass


class StoreIdMalformed(RequestRefused):
    def __init__(self) -> None:
        super().__init__("storeId: expected mem_store_ and 26 characters, the first 0-7, the others 0-9 or a-z")


class OperationIdMalformed(RequestRefused):
    def __init__(self) -> None:
        super().__init__("operationId: expected mem_operation_ and 26 characters, the first 0-7, the others 0-9 or a-z")


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


class SettingsRefused(ProfileLookupError):
    pass


class NameTaken(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("displayName: another store of this account already has this name")


class LimitReached(ProfileLookupError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"This account already has {limit} stores, its limit")


class IdentifierConflict(ProfileLookupError):
    def __init__(self, id_type: str) -> None:
        super().__init__(
            f"A value of idType {id_type} belongs to another profile; it is unique and not a matching rule, "
            "so it can neither be shared nor merge the two"
        )


class Unavailable(ProfileLookupError):
    def __init__(self, reason: str = "the database did not answer in time") -> None:
        super().__init__(f"Service Unavailable: {reason}")


class NotMigrated(Unavailable):
    def __init__(self) -> None:
        super().__init__("run `profile-lookup migrate`")
