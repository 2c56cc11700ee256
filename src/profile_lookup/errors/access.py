"""Callers who may not do what they ask for."""

from profile_lookup.errors.root import ProfileLookupError


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
