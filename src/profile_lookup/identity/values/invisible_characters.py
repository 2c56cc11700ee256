"""Characters that cannot be seen: two values that look alike must not differ by them."""

import re

_DEFAULT_IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""The code points with Default_Ignorable_Code_Point: DerivedCoreProperties.txt of Unicode 17.0, as first and last.

Python's `unicodedata` does not have this property. It is the same since Unicode 14.0.
"""

_CLASS = "".join(f"{chr(first)}-{chr(last)}" for first, last in _DEFAULT_IGNORABLE)
_INVISIBLE = re.compile(f"[{_CLASS}]+")
_INVISIBLE_OR_SPACE = re.compile(rf"[\s{_CLASS}]*")


def without_invisible(text: str) -> str:
    """Return the text without characters that cannot be seen. White space stays."""
    return text if text.isascii() else _INVISIBLE.sub("", text)


def trimmed(text: str) -> str:
    """Return the text without white space and characters that cannot be seen at both ends."""
    if text.isascii():
        return text.strip()
    start = _length_of_blank_start(text)
    return text[start : len(text) - _length_of_blank_start(text[:start:-1])] if start < len(text) else ""


def _length_of_blank_start(text: str) -> int:
    blank = _INVISIBLE_OR_SPACE.match(text)
    return blank.end() if blank else 0
