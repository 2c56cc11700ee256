"""The encodings of files: named by a byte order mark, by whoever imports, or by mistake."""

import io
from collections.abc import Sequence

import pytest

from profile_lookup.errors import FileRefused
from profile_lookup.imports.files.layout import examine, rows_of


def _fields(content: bytes, encoding: str | None = None) -> list[Sequence[str] | None]:
    file = io.BytesIO(content)
    layout, _ = examine(file, ["a", "b"], encoding=encoding)
    return [record.fields for record in rows_of(file, layout)]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-8", b"\xef\xbb\xbf" * 2),
    ],
)
@pytest.mark.parametrize("named", [None, "cp1252"])
def test_a_byte_order_mark_names_the_encoding(encoding: str, mark: bytes, named: str | None) -> None:
    assert _fields(mark + "a,b\n1,Jürgen\n".encode(encoding), named) == [["1", "Jürgen"]]


@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman", "utf-16-le", "utf-16", "cp850", "latin-1", "utf-8-sig"])
def test_a_named_encoding_is_used(encoding: str) -> None:
    assert _fields("a,b\n1,Jürgen\n".encode(encoding), encoding) == [["1", "Jürgen"]]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "mac-roman", "cp1251"])
def test_letters_are_not_garbled_by_an_encoding_that_the_file_does_not_have(encoding: str) -> None:
    with pytest.raises(FileRefused, match=r"this file is UTF-8: read as .*, letters with accents would be wrong"):
        _fields("a,b\n1,Jürgen\n".encode(), encoding)
    assert _fields(b"a,b\n1,Ann\n", encoding) == [["1", "Ann"]]


@pytest.mark.parametrize("encoding", ["idna", "base64", "unicode_escape", "utf-7", "nothing", "x\0"])
def test_an_encoding_that_is_not_known_is_refused(encoding: str) -> None:
    with pytest.raises(FileRefused, match="its encoding has a name that is not known"):
        _fields(b"a,b\n", encoding)
