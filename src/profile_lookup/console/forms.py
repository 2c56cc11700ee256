"""The bodies of forms. They are read after their sender was admitted, and are limited in size."""

from time import monotonic

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from profile_lookup.errors import BodyTooLarge, RequestRefused
from profile_lookup.web.body import ADMITTED_FOR, announced_size, headers_of, refuse_compressed
from profile_lookup.web.dependencies import readmit

MAX_SIZE = 1 << 20  # bytes of a form without a file
MAX_FILE_SIZE = 101 << 20  # bytes of a form with a file, which may have 100 MiB itself
MAX_FIELDS = 10_000
TOKEN = "token"  # noqa: S105 -- the name of the field
"""The field that shows that a form was made by this service, for this session."""


class Form:
    """The fields of a form. Without a body, it has none."""

    def __init__(self, fields: FormData | None = None) -> None:
        self._fields = fields or FormData()

    def text(self, name: str) -> str:
        """Return the text of a field as it was sent; empty if there is none."""
        value = self._fields.get(name, "")
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """Return the texts of all fields of this name, in their order."""
        return [value for value in self._fields.getlist(name) if isinstance(value, str)]

    def required(self, name: str) -> str:
        """Return the text of a field. Raises `RequestRefused` if it is empty."""
        value = self.text(name)
        if not value:
            raise RequestRefused(f"{name}: expected a value")
        return value

    def file(self, name: str) -> UploadFile | None:
        """Return the file of a field; None if no file was chosen."""
        value = self._fields.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    async def close(self) -> None:
        """Delete the files."""
        await self._fields.close()


async def read_form(request: Request, *, may_have_file: bool = False) -> Form:
    """Return the form in the body. Raises `BodyTooLarge`, `ContentEncodingRefused` or `RequestRefused`."""
    headers = headers_of(request.scope)
    refuse_compressed(headers)
    has_file = may_have_file and headers.get(b"content-type", b"").startswith(b"multipart/form-data")
    max_size = MAX_FILE_SIZE if has_file else MAX_SIZE
    if (announced_size(headers) or 0) > max_size:
        raise BodyTooLarge(max_size)
    began = monotonic()
    limited = Request(request.scope, _limited(request.receive, max_size))
    try:
        fields = await limited.form(max_files=int(has_file), max_fields=MAX_FIELDS, max_part_size=MAX_SIZE)
    except ClientDisconnect:
        raise RequestRefused("body: the connection ended before the body did") from None
    if monotonic() - began > ADMITTED_FOR:
        await readmit(request.scope)
    _refuse_no_unicode(fields)
    return Form(fields)


def _refuse_no_unicode(fields: FormData) -> None:
    """Raises `RequestRefused` for halves of characters: PostgreSQL stores none, and no page can show them.

    They come of a multipart form whose `charset` is one of Python's own, such as `utf-7`.
    """
    for name, value in fields.multi_items():
        text = value if isinstance(value, str) else value.filename or ""
        try:
            f"{name}{text}".encode()
        except UnicodeEncodeError:
            raise RequestRefused("body: expected UTF-8") from None


def _limited(receive: Receive, max_size: int) -> Receive:
    received = 0

    async def receive_within_limit() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > max_size:
            raise BodyTooLarge(max_size)
        return message

    return receive_within_limit
