"""How the bytes of a file become text: its byte order mark, its encoding, and what it looks like if it is no text."""

import codecs
import re
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from profile_lookup.errors import EncodingRefused, FileRefused

_SINGLE_BYTE = frozenset(
    {
        *(f"cp{page}" for page in (437, 850, 852, 857, 866, 874, *range(1250, 1259))),
        *(f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
        "mac-roman", "mac-latin2", "mac-cyrillic", "mac-greek", "mac-turkish", "koi8-r", "koi8-u",
    }
)  # fmt: skip
"""Encodings by which any bytes are some text, also those of UTF-8."""
ENCODINGS = _SINGLE_BYTE | {
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii",
    "cp932", "cp949", "cp950", "shift_jis", "euc_jp", "iso2022_jp", "gbk", "gb2312", "gb18030", "big5", "euc_kr",
}  # fmt: skip
"""The encodings that a file may have, by the names of Python's codecs. Some others would take quadratic time."""

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_SAVE_AS_CSV = 'save it as "CSV UTF-8" (in Excel: File, Save As, CSV UTF-8)'
_NAME_ITS_ENCODING = "name its encoding"
_OTHER_FORMATS = {
    b"PK\x03\x04": "an Excel workbook (.xlsx) or another packed file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a compressed file (.gz)",
    b"{\\rtf": "a text document (.rtf)",
    b"BEGIN:VCARD": "a file of vCards (.vcf)",
    b"<": "a web page or an XML document",
}
_READ_SIZE = 1 << 20  # bytes
_SAMPLE_SIZE = 1 << 16  # bytes by which an encoding is recognized
_LINE_END = re.compile("\r\n|\r|\n")
_LETTER_OF_ANOTHER_ALPHABET = re.compile(rb"[\x80-\xff]{3}")


@dataclass(frozen=True, slots=True)
class TextFormat:
    """`encoding` is the name of Python's codec. The text begins at the byte `start`, after the byte order marks."""

    encoding: str = "utf-8"
    start: int = 0


def codec_name(encoding: str) -> str | None:
    """Return the name of Python's codec for an encoding that a file may have, or None."""
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        return None
    name = name.removesuffix("-sig")  # a byte order mark counts in any case
    return name if name in ENCODINGS else None


def text_format_of(file: BinaryIO, encoding: str | None = None) -> TextFormat:
    """Return how the file is written: as its byte order mark says, else in the given encoding, else in UTF-8.

    Raises `FileRefused` for a file of another kind, such as a workbook.
    """
    file.seek(0)
    beginning = file.read(64)
    for mark, marked_encoding in _MARKS.items():
        if beginning.startswith(mark):
            return TextFormat(marked_encoding, _length_of_marks(beginning, mark))
    for signature, description in _OTHER_FORMATS.items():
        if beginning.upper().startswith(signature) or beginning.startswith(signature):
            raise FileRefused(f"this is {description}, and not a CSV file; open it and {_SAVE_AS_CSV}")
    name = codec_name(encoding or "utf-8")
    if name is None:
        raise FileRefused("its encoding has a name that is not known; usual ones are utf-8, cp1252 and utf-16")
    return TextFormat("utf-16-le" if name == "utf-16" else name)


def refuse_unreadable(file: BinaryIO, text_format: TextFormat) -> None:
    """Raise `FileRefused` if the file is not in its encoding, or holds NUL, which no identifier or trait may hold."""
    _decode(file, text_format)
    if text_format.encoding in _SINGLE_BYTE and _is_utf_8(file):
        raise EncodingRefused(
            f"this file is UTF-8: read as {text_format.encoding}, letters with accents would be wrong. Leave out its "
            "encoding"
        )


def _decode(file: BinaryIO, text_format: TextFormat) -> None:
    """Decode the whole file. Raises `FileRefused` at the first byte that is no text, or is NUL."""
    decoder = codecs.getincrementaldecoder(text_format.encoding)()
    file.seek(text_format.start)
    start = text_format.start  # where the chunk begins in the file
    while True:
        chunk = file.read(_READ_SIZE)
        carried = len(decoder.getstate()[0])  # bytes of a character that continues in this chunk
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            nul = chunk.find(0) if text_format.encoding == "utf-8" else -1
            if 0 <= nul < error.start - carried:
                _refuse_nul(file, text_format, start + nul)
            _refuse_encoding(file, text_format, start - carried + error.start)
        nul = text.find("\0")
        if nul >= 0:
            offset = start - carried + len(text[:nul].encode(text_format.encoding))
            _refuse_nul(file, text_format, offset)
        if not chunk:
            return
        start += len(chunk)


def _is_utf_8(file: BinaryIO) -> bool:
    """Return whether the file holds other letters than those of ASCII, all in UTF-8. No other text looks like that."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_ascii = True
    file.seek(0)
    try:
        while chunk := file.read(_READ_SIZE):
            is_ascii = decoder.decode(chunk).isascii() and is_ascii
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return not is_ascii


def _length_of_marks(beginning: bytes, mark: bytes) -> int:
    """Return the length of all marks: programs that add one to a file do not always see that it has one."""
    length = 0
    while beginning.startswith(mark, length):
        length += len(mark)
    return length


def _refuse_encoding(file: BinaryIO, text_format: TextFormat, offset: int) -> NoReturn:
    place = _place(file, text_format, offset)
    if text_format.encoding != "utf-8":
        raise FileRefused(f"{place}: this is no text in the encoding {text_format.encoding}; {_SAVE_AS_CSV}")
    if _has_other_letters(file, text_format.start, offset):
        raise FileRefused(
            f"{place}: expected UTF-8, which the text before it is. Type this place anew, and {_SAVE_AS_CSV}"
        )
    raise EncodingRefused(f"{place}: expected UTF-8. {_likely_encoding(file, offset)}")


def _refuse_nul(file: BinaryIO, text_format: TextFormat, offset: int) -> NoReturn:
    file.seek(0)
    sample = file.read(_SAMPLE_SIZE)
    is_utf_16 = text_format.encoding == "utf-8" and sample.count(0) > len(sample) // 4
    refusal = f"{_place(file, text_format, offset)}: expected no NUL character"
    if is_utf_16:
        encoding = "utf-16-le" if sample.find(0) % 2 else "utf-16-be"
        raise EncodingRefused(
            f"{refusal}. This looks like UTF-16 without its byte order mark: {_NAME_ITS_ENCODING}: {encoding}"
        )
    raise FileRefused(refusal)


def _likely_encoding(file: BinaryIO, offset: int) -> str:
    """Return what the file looks like, and how to save it as UTF-8 or to name its encoding.

    In a western language, letters with accents stand alone among those of ASCII.
    """
    file.seek(max(0, offset - _SAMPLE_SIZE // 2))
    sample = file.read(_SAMPLE_SIZE)
    if _LETTER_OF_ANOTHER_ALPHABET.search(sample) is None:
        likely = "It looks like Windows-1252, in which Excel writes CSV files for western languages"
        named = "cp1252"
    else:
        likely = "It looks like the older encoding of a language with another alphabet"
        named = "cp1251 (Cyrillic), cp1253 (Greek), shift_jis (Japanese) or gbk (Chinese)"
    return f"{likely}: {_SAVE_AS_CSV}, or {_NAME_ITS_ENCODING}: {named}"


def _has_other_letters(file: BinaryIO, start: int, end: int) -> bool:
    """Return whether there are other letters than those of ASCII shortly before the end of this part of the file."""
    start = max(start, end - _SAMPLE_SIZE)
    file.seek(start)
    return not file.read(end - start).isascii()


def _place(file: BinaryIO, text_format: TextFormat, offset: int) -> str:
    return f"line {_line_of(file, text_format, offset)}, byte {offset + 1} of the file"


def _line_of(file: BinaryIO, text_format: TextFormat, offset: int) -> int:
    decoder = codecs.getincrementaldecoder(text_format.encoding)(errors="replace")
    file.seek(text_format.start)
    remaining = offset - text_format.start
    line, last_character = 1, ""
    while remaining > 0 and (chunk := file.read(min(remaining, _READ_SIZE))):
        remaining -= len(chunk)
        text = last_character + decoder.decode(chunk)
        # A line feed at the end of the chunk before was counted then, unless a carriage return was carried over.
        last_character = "\r" if text.endswith("\r") else ""
        line += len(_LINE_END.findall(text.removesuffix("\r")))
    return line + bool(last_character)
