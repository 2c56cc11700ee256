"""What a cell of a file holds, without what spreadsheets, mail programs and web pages put around it.

A cell of a column that identifies may hold several values. No message repeats what a cell holds.
"""

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.trait_definitions import DataType
from profile_lookup.identity.values.normalization import Normalization
from profile_lookup.imports.files.spreadsheet_marks import ERROR_OF_A_SPREADSHEET, without_mark

_INTEGER = re.compile("[+-]?[0-9]{1,10}")
_BOOLEANS = {"true": True, "false": False}

_TEXT_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
_SCIENTIFIC = re.compile(r"[-+]?[0-9]+(?:[.,][0-9]+)?E\+[0-9]+|[0-9][.,][0-9]+E[0-9]+", re.IGNORECASE)

_PLAIN: Mapping[Normalization, re.Pattern[str]] = {
    "phone": re.compile(r"[0-9+(][0-9+() ./-]*"),
    "email": re.compile(r"[A-Za-z0-9._+%-]+@[A-Za-z0-9.-]+"),
    "trim": re.compile(r"[A-Za-z0-9+][A-Za-z0-9._@ -]*"),
    "none": re.compile(r"[A-Za-z0-9+][A-Za-z0-9._@ -]*"),
}
"""Most cells, which hold one value as it is."""

MAX_LIST = 2048
"""Characters of a cell that may hold several values. Whoever sends a file chooses what is in its cells, so this bounds
the time that the expressions below take on one."""

_LINK = re.compile(r"""<a\b[^<>]*?\bhref\s?=\s?["']?(?:mailto|tel):([^"'?<>]++)[^<>]*+>[^<]*+""", re.IGNORECASE)
_LINE_BREAK_TAG = re.compile(r"<br\s*/?>|</(?:p|div|li)>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]*+)?/?>", re.IGNORECASE)
_BETWEEN_VALUES = re.compile("(?<!\\s)\\s+:::\\s|[\r\n\u2028]")
_MAILTO = re.compile(r"mailto:([^?]*)(?:\?.*)?", re.IGNORECASE | re.DOTALL)
_NAMED_ADDRESS = re.compile("<([^<>@]++@[^<>@]++)>")
_DIGIT = re.compile(r"\d")
_DIGITS_OF_A_NUMBER = 7


def text_of(cell: str) -> str:
    """Return the text of a cell that does not identify. Raises `ValueRefused` for what a spreadsheet shows instead."""
    if cell[0] not in "'=#":
        return cell
    return without_mark(cell) if cell[0] == "'" else _without_formula(cell)


def typed_value(data_type: DataType, cell: str) -> object:
    """Return the JSON value that a request would hold, for a trait of this type. Raises `ValueRefused`."""
    match data_type:
        case "STRING":
            return cell
        case "NUMBER":
            if _INTEGER.fullmatch(cell.strip()) is None:
                raise ValueRefused("expected an integer of 32 bits")
            return int(cell)
        case "BOOLEAN":
            value = _BOOLEANS.get(cell.strip().lower())
            if value is None:
                raise ValueRefused("expected true or false")
            return value
        case "ARRAY":
            return _array(cell)


def values_of(cell: str, normalization: Normalization) -> tuple[str, ...]:
    """Return the values of a cell that identifies, in its order; none if it is blank.

    Raises `ValueRefused` for what a spreadsheet shows instead of a value.
    """
    if _PLAIN[normalization].fullmatch(cell):
        return (cell,)
    return tuple(_values(cell, normalization))


def _array(cell: str) -> list[object]:
    try:
        items = json.loads(cell)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        raise ValueRefused("expected a JSON array")
    return items


def _values(cell: str, normalization: Normalization) -> Iterator[str]:
    if normalization == "none":
        yield text_of(cell)
        return
    if len(cell) > MAX_LIST:
        raise ValueRefused(f"expected at most {MAX_LIST} characters, in one value or several")
    text = cell.strip()
    text = _unquoted(text) if text.startswith("'") else _without_formula(text)
    if _SCIENTIFIC.fullmatch(text):
        raise ValueRefused(
            "a spreadsheet shortened this number (as 4.5E+11 is), and the file lacks its last digits: in the original "
            'spreadsheet, format the column as "Number" without decimals, and save the file again'
        )
    if "<" in text:
        text = _without_tags(text)
    for part in _BETWEEN_VALUES.split(text):
        for value in _SEPARATED[normalization](part):
            if value.strip():
                yield value


def _unquoted(text: str) -> str:
    """Return a text without the apostrophe before it, and the one behind it. An export writes one before another."""
    return text[1:] if text.startswith("''") else text[1:].removesuffix("'")


def _without_formula(text: str) -> str:
    """Return the text that a formula such as ="…" stands for."""
    if ERROR_OF_A_SPREADSHEET.fullmatch(text):
        raise ValueRefused(
            "a spreadsheet shows this where it has no value to show: make the column wider or correct its formula, "
            "and save the file again"
        )
    if not text.startswith("=") or text == "=":
        return text
    if quoted := _TEXT_FORMULA.fullmatch(text):
        return quoted[1].replace('""', '"')
    raise ValueRefused("this is a formula: in the spreadsheet, replace it by its value, and save the file again")


def _without_tags(text: str) -> str:
    """Return the text of HTML, and instead of links to addresses and numbers what they link to."""
    linked = _LINE_BREAK_TAG.sub("\n", _LINK.sub(r"\1", text))
    plain = _TAG.sub("", linked)
    return text if plain == text else html.unescape(plain)


def _email_addresses(text: str) -> Iterator[str]:
    """Yield the addresses of a list; what is no list of whole addresses is one value."""
    pieces = _pieces(text, lambda piece: "@" in piece)
    if len(pieces) == 1:  # a comma may stand in a name
        pieces = _NAMED_ADDRESS.findall(text) or pieces
    for piece in pieces:
        named = _NAMED_ADDRESS.search(piece)
        address = (named[1] if named else piece).strip()
        link = _MAILTO.fullmatch(address)
        yield link[1] if link else address


def _phone_numbers(text: str) -> Iterator[str]:
    yield from _pieces(text, lambda piece: len(_DIGIT.findall(piece)) >= _DIGITS_OF_A_NUMBER)


def _one_value(text: str) -> Iterator[str]:
    yield text


def _pieces(text: str, is_whole: Callable[[str], bool]) -> list[str]:
    """Return the parts of a list with semicolons or commas, if each of them is a whole value; else the text itself."""
    for separators in ("[;,]", ";"):
        pieces = [piece for piece in re.split(separators, text) if piece.strip()]
        if len(pieces) > 1 and all(map(is_whole, pieces)):
            return pieces
    return [text.strip().strip(";,")]


_SEPARATED: Mapping[str, Callable[[str], Iterator[str]]] = {
    "email": _email_addresses,
    "phone": _phone_numbers,
    "trim": _one_value,
}
