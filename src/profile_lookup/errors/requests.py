"""Requests that are not well-formed."""

from profile_lookup.errors.root import ProfileLookupError


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


class EncodingRefused(FileRefused):
    """The file is not in the encoding that it is read in; `reason` says which other one to name, or to name none."""


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
