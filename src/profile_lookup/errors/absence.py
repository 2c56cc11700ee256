"""Resources that are not there, or not under this ID."""

from uuid import UUID

from profile_lookup.errors.root import ProfileLookupError


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
