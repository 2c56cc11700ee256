"""The targets of fuzzing. Each takes any bytes, and raises an exception if a promise of the service is broken."""

import base64
import csv
import io
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import dropwhile, pairwise
from typing import get_args
from uuid import UUID

from profile_lookup.accounts.credentials import digest, parse_basic, parse_basic_cached
from profile_lookup.database.keyset import Position
from profile_lookup.errors import FileRefused, PageTokenRefused, Unauthenticated, UploadRefused, ValueRefused
from profile_lookup.identity.values.normalization import MAX_LENGTH, Normalization, is_storable, normalize
from profile_lookup.imports.files.csv_records import DELIMITERS
from profile_lookup.imports.files.layout import examine, rows_of
from profile_lookup.imports.uploads import read_token, upload_url
from profile_lookup.web.pagination import PageTokens

SECRET = bytes(32)
STORE_ID, IMPORT_ID = UUID(int=1), UUID(int=2)
COLUMN = "a"


def normalization(data: bytes) -> None:
    """Normalizing returns a value that can be stored and that stays the same, or raises `ValueRefused`."""
    kinds: tuple[Normalization, ...] = get_args(Normalization)
    kind, value = kinds[_number(data) % len(kinds)], data[1:].decode("utf-8", "surrogateescape")
    try:
        normalized = normalize(kind, value)
    except ValueRefused:
        return
    assert 0 < len(normalized) <= MAX_LENGTH
    assert is_storable(normalized)
    assert normalize(kind, normalized) == normalized


def page_tokens(data: bytes) -> None:
    """A token is read as what was signed, and in its own list only; any other text is refused."""
    tokens = PageTokens([SECRET])
    position = Position([data.hex()], is_backwards=bool(_number(data) & 1), is_inclusive=bool(_number(data) & 2))
    written = tokens.write(position, "ASC", "profiles", "store")
    assert tokens.read(written, None, "profiles", "store") == (position, "ASC")
    for text in (_changed(written, data), data.decode("latin-1")):
        with suppress(PageTokenRefused):
            assert tokens.read(text, None, "profiles", "store") == (position, "ASC")
    assert _raises(PageTokenRefused, partial(tokens.read, written, None, "profiles", "another store"))


def upload_tokens(data: bytes) -> None:
    """A token is read as what was signed; any other text is refused."""
    written = upload_url("", [SECRET], STORE_ID, IMPORT_ID).rpartition("/")[2]
    assert read_token([SECRET], written) == (STORE_ID, IMPORT_ID)
    for text in (_changed(written, data), data.decode("latin-1")):
        with suppress(UploadRefused):
            assert read_token([SECRET], text) == (STORE_ID, IMPORT_ID)


def credentials(data: bytes) -> None:
    """A header is refused, or read as the SID and secret that it encodes, with a cache as without one."""
    for header in (data, b"Basic " + base64.b64encode(data)):
        cache: dict[str, object] = {}
        try:
            read = parse_basic(header.decode("latin-1"))
        except Unauthenticated:
            assert _raises(Unauthenticated, partial(parse_basic_cached, cache, header))
            continue
        sid, _, secret = base64.b64decode(header.partition(b" ")[2].strip()).decode().partition(":")
        assert (read.sid, read.secret_sha256) == (sid, digest(secret))
        assert parse_basic_cached(cache, header) == parse_basic_cached(cache, header) == read


def csv_file(data: bytes) -> None:
    """A file is refused, or read as the standard library reads it, from its beginning and from any row on."""
    delimiter = (None, *DELIMITERS)[_number(data) % (1 + len(DELIMITERS))]
    file = io.BytesIO(data[1:])
    try:
        layout, extent = examine(file, [COLUMN], delimiter)
        rows = list(rows_of(file, layout))
    except FileRefused:
        return
    assert len(rows) == extent.rows
    assert all(earlier.line < later.line for earlier, later in pairwise(rows))
    skipped = len(data) % (len(rows) + 1)
    assert list(rows_of(file, layout, skip=skipped)) == rows[skipped:]
    if all(row.fields is not None for row in rows):
        text = io.StringIO(data[1 + layout.text_format.start :].decode(layout.text_format.encoding), newline="")
        records = [fields for fields in csv.reader(text, delimiter=layout.delimiter, strict=True) if fields]
        _, *expected = dropwhile(lambda fields: COLUMN not in map(str.strip, fields), records)
        assert [row.fields for row in rows] == [[*fields, *[""] * layout.width][: layout.width] for fields in expected]


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (normalization, page_tokens, upload_tokens, credentials, csv_file)
}


def _raises(error: type[Exception], action: Callable[[], object]) -> bool:
    try:
        action()
    except error:
        return True
    return False


def _number(data: bytes) -> int:
    return data[0] if data else 0


def _changed(token: str, data: bytes) -> str:
    """Return the token with one character replaced, as the first bytes of the data say."""
    place = int.from_bytes(data[:2]) % len(token)
    return token[:place] + chr(data[2] if len(data) > 2 else 0) + token[place + 1 :]
