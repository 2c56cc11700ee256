"""The apostrophe before a cell that a spreadsheet would otherwise take for a formula, a number or an error.

An export writes it, and so do other programs; an import takes it away.
"""

import re

_MARKED = re.compile("'+[-+=@\t\r0-9#]")
_ERROR = r"#{3,}|#(?:NAME\?|REF!|VALUE!|DIV/0!|NUM!|NULL!|SPILL!|CALC!|FIELD!|BUSY!)"
ERROR_OF_A_SPREADSHEET = re.compile(_ERROR, re.IGNORECASE)
_TAKEN_FOR_OTHERS = re.compile(rf"[=@\t\r]|[-+](?![0-9]+\Z)|'+[-+=@\t\r0-9#]|(?:{_ERROR})\Z", re.IGNORECASE)


def marked(text: str) -> str:
    """Return the text as an export writes it: `without_mark` returns what it was. Numbers with a sign stay as they are.

    Opened in a spreadsheet, it is the text and no formula: see CWE-1236.
    """
    return f"'{text}" if _TAKEN_FOR_OTHERS.match(text) else text


def marked_identifier(text: str) -> str:
    """Return an identifier as an export writes it: an import takes any apostrophe around it for a mark there."""
    if text.startswith("'"):
        return f"'{text}"
    cell = marked(text)
    return f"{cell}'" if cell != text and text.endswith("'") else cell


def without_mark(text: str) -> str:
    """Return the text of a cell without the apostrophe that keeps a spreadsheet from changing it."""
    return text[1:] if _MARKED.match(text) else text
