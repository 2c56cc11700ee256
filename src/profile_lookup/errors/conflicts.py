"""Requests that contradict what somebody else has done."""

from profile_lookup.errors.root import ProfileLookupError


class StoreNameTaken(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("displayName: another store of this account already has this name")


class TraitGroupNameTaken(ProfileLookupError):
    def __init__(self) -> None:
        super().__init__("displayName: another trait group of this store already has this name")


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
