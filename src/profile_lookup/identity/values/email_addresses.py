"""`normalize("email", …)`: two spellings of one address become one value. What it refuses is our own decision."""

import re
import unicodedata

import idna

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.invisible_characters import without_invisible

_LABEL_SEPARATORS = re.compile("[.\u3002\uff0e\uff61]")  # of UTS 46: all are dots
# The usual ones, which the rules below return as they are (tests/identity/test_email_addresses.py).
_PLAIN_ADDRESS = re.compile(r"[a-z0-9._+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*")
_NOT_IN_AN_ADDRESS = re.compile(r"[,;<>()\":\x00-\x1f\x7f-\x9f]")


def normalized_email(value: str) -> str:
    """Return the address in lower case and NFC, without white space, its domain in Unicode.

    The dots and tags of a local part are not touched. If nothing is left, the result is empty.
    Raises `ValueRefused` if the text is anything but one address.
    """
    if _PLAIN_ADDRESS.fullmatch(value) and "xn--" not in value:
        return value
    return _by_the_rules(value)


def _by_the_rules(value: str) -> str:
    address = _tidied(value).removeprefix("mailto:")
    if not address:
        return ""
    local, at, domain = address.partition("@")
    if not local or not domain or "@" in domain:
        raise ValueRefused("expected an e-mail address: one @ with text on both sides")
    domain = _domain_in_unicode(domain)
    if domain.startswith(".") or domain.endswith(".") or ".." in domain:
        raise ValueRefused("expected a domain that neither begins nor ends with a dot nor has two in a row")
    address = local + at + domain
    if _NOT_IN_AN_ADDRESS.search(address):
        raise ValueRefused('expected one bare e-mail address, without , ; < > ( ) " : or control characters')
    return address


def _tidied(text: str) -> str:
    """Return the text in lower case and NFC, without white space and characters that cannot be seen."""
    return unicodedata.normalize("NFC", "".join(without_invisible(text).split()).lower())


def _domain_in_unicode(domain: str) -> str:
    if domain.isascii() and "xn--" not in domain:
        return domain
    return ".".join(map(_label_in_unicode, _LABEL_SEPARATORS.split(domain)))


def _label_in_unicode(label: str) -> str:
    """Return the label as IDNA writes it in Unicode; one that IDNA does not know, or that would change again, stays.

    It would change again if it holds what `_tidied` removes (a joiner) or changes: lower-casing a Cherokee label, whose
    canonical form is in capitals, makes it one that IDNA does not know.
    """
    if label.isascii() and not label.startswith("xn--"):
        return label
    written = _by_idna(label)
    return written if written is not None and written == _tidied(written) == _by_idna(written) else label


def _by_idna(label: str) -> str | None:
    """Return the label by UTS 46, non-transitional, or None if it is not valid."""
    try:
        return idna.ulabel(idna.uts46_remap(label, std3_rules=False))
    except ValueError:  # IDNAError is one, and so is whatever Python's codecs and tables raise
        return None
