"""More requests than there may be, and a database that does not answer."""

from profile_lookup.errors.root import ProfileLookupError

_SECONDS_TO_NEXT_OPERATION = 5  # a guess: a batch takes less, and an import may take minutes


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
    """`reason` is one of few texts. A subclass has one of its own, `name`, by which metrics count it."""

    name: str | None = None

    def __init__(self, reason: str = "the database did not answer in time") -> None:
        super().__init__(f"Service Unavailable: {reason}")
        self.reason = self.name or reason


class Overloaded(Unavailable):
    name = "overloaded"

    def __init__(self) -> None:
        super().__init__("more requests are under way than can be answered soon. Nothing was done; try again later")


class OutcomeUnknown(Unavailable):
    name = "the outcome is unknown"

    def __init__(self) -> None:
        super().__init__(
            "the connection to the database was lost while the request was being committed, so it may have been done. "
            "A create may be repeated; before you repeat any other write, look whether it was done"
        )


class SchemaTooNew(Unavailable):
    name = "the schema is too new"

    def __init__(self) -> None:
        super().__init__("the database's schema is of a newer version and no longer serves this one")


class NotMigrated(Unavailable):
    name = "the schema lacks migrations"

    def __init__(self) -> None:
        super().__init__("run `profile-lookup migrate`")


class StandbyLost(Unavailable):
    def __init__(self) -> None:
        super().__init__("a standby of the database was lost while it was read")
