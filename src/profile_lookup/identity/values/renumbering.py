"""Numbers of a plan that ended are read as what they became, so that a person is found by the old and the new number.

The table is ours, and docs/renumbering.md shows it. It holds only what the digits alone make certain. A new number
never has an old form.
"""

import re
from dataclasses import dataclass
from datetime import date

import phonenumbers
from phonenumbers import PhoneNumber


@dataclass(frozen=True, slots=True)
class Change:
    """A form of numbers in E.164, as a regular expression, and what it became: each {} is a group of the old form.

    `if_valid`: the old form alone does not make the change certain; the new number must be valid for libphonenumber.
    """

    old: str
    new: str
    if_valid: bool = False


@dataclass(frozen=True, slots=True)
class Renumbering:
    """What one change of a country's numbering plan did.

    - `former_length`: digits of the old numbers after the country code; the new ones have more or fewer
    - `completed`: the day from which the whole country had the new numbers
    - `examples`: old numbers, each with its new one
    """

    country: str
    country_code: int
    former_length: int
    completed: date
    source: str
    changes: tuple[Change, ...]
    examples: dict[str, str]


RENUMBERINGS = (
    Renumbering(
        "Benin", 229, 8, date(2024, 11, 30),
        "ARCEP Bénin: numbering plan of ten digits, all numbers with 01 before the former eight",
        (Change(r"\+229(\d{8})", "+22901{}"),),
        {"+22997123456": "+2290197123456", "+22921300000": "+2290121300000"},
    ),
    Renumbering(
        "Brazil", 55, 10, date(2016, 11, 6),
        "Anatel: Resolution 553 of 2010, the ninth digit of mobile numbers, area by area from 29 July 2012",
        (Change(r"\+55([1-9]{2})([689]\d{7})", "+55{}9{}"),),
        {"+553196883193": "+5531996883193", "+551168831931": "+5511968831931", "+552188319312": "+5521988319312"},
    ),
    Renumbering(
        "Cameroon", 237, 8, date(2014, 11, 21),
        "ART: communication of 6 October 2014 in the ITU Operational Bulletin, 6 before all mobile numbers",
        (Change(r"\+237([79]\d{7})", "+2376{}"),),
        {"+23777123456": "+237677123456", "+23799123456": "+237699123456"},
    ),
    Renumbering(
        "Colombia", 57, 8, date(2021, 9, 1),
        "CRC: Resolution 5826 of 2019, 60 before the area code of all landlines",
        (Change(r"\+57((?!46)[124-8][2-9]\d{6})", "+5760{}"),),
        {"+5713456789": "+576013456789", "+5742345678": "+576042345678"},
    ),
    Renumbering(
        "Ivory Coast", 225, 8, date(2021, 1, 31),
        "ARTCI: numbering plan of ten digits, the operator's two digits before the former eight",
        (
            Change(r"\+225([04-8][1-3]\d{6})", "+22501{}"),
            Change(r"\+225(40\d{6})", "+22501{}"),
            Change(r"\+225([04-8][4-6]\d{6})", "+22505{}"),
            Change(r"\+225([04-8][7-9]\d{6})", "+22507{}"),
            Change(r"\+225([23]\d{7})", "+22527{}", if_valid=True),
        ),
        {
            "+22501123456": "+2250101123456", "+22540123456": "+2250140123456", "+22555123456": "+2250555123456",
            "+22507123456": "+2250707123456", "+22521212345": "+2252721212345",
        },
    ),
    Renumbering(
        "Mexico", 52, 11, date(2019, 8, 3),
        "IFT: Basic Technical Numbering Plan, Official Gazette of 11 May 2018, ITU Operational Bulletin 1151; "
        "the 1 before mobile numbers ended",
        (Change(r"\+521(\d{10})", "+52{}"),),
        {"+5215512345678": "+525512345678"},
    ),
    Renumbering(
        "Nigeria", 234, 8, date(2024, 1, 1),
        "NCC: announcement of 20 September 2023, 02 before the area code of all landlines",
        (Change(r"\+234(\d{8})", "+23420{}", if_valid=True),),
        {"+23418040123": "+2342018040123", "+23494630643": "+2342094630643"},
    ),
    Renumbering(
        "Viet Nam", 84, 10, date(2018, 9, 15),
        "Ministry of Information and Communications: plan of 29 May 2018, mobile numbers of eleven digits to ten",
        (
            Change(r"\+8416([2-9]\d{7})", "+843{}"),
            *(
                Change(rf"\+84{old}(\d{{7}})", f"+84{new}{{}}")
                for old, new in {
                    120: 70, 121: 79, 122: 77, 126: 76, 128: 78,  # MobiFone
                    123: 83, 124: 84, 125: 85, 127: 81, 129: 82,  # VinaPhone
                    186: 56, 188: 58,  # Vietnamobile
                    199: 59,  # Gmobile
                }.items()
            ),
        ),
        {"+841695678945": "+84395678945", "+841287878888": "+84787878888", "+841239222888": "+84839222888"},
    ),
)  # fmt: skip

_FORMER_LENGTHS = {each.country_code: len(f"+{each.country_code}") + each.former_length for each in RENUMBERINGS}
_CHANGES = {
    each.country_code: [(re.compile(change.old, re.ASCII), change) for change in each.changes] for each in RENUMBERINGS
}


def may_be_renumbered(country_code: int, e164: str) -> bool:
    """Return whether the number is as long as those of a plan that ended."""
    return _FORMER_LENGTHS.get(country_code) == len(e164)


def renumbered(number: PhoneNumber, e164: str) -> tuple[PhoneNumber, str] | None:
    """Return what the number became, also in E.164, or None if its plan is in force. `e164` is the number in E.164."""
    country_code = number.country_code or 0
    if not may_be_renumbered(country_code, e164):
        return None
    for pattern, change in _CHANGES[country_code]:
        if old := pattern.fullmatch(e164):
            new_e164 = change.new.format(*old.groups())
            new = _number(country_code, new_e164)
            if not change.if_valid or phonenumbers.is_valid_number(new):
                return new, new_e164
    return None


def _number(country_code: int, e164: str) -> PhoneNumber:
    """Return what `phonenumbers.parse` returns, in a tenth of its time."""
    national = e164.removeprefix(f"+{country_code}")
    zeros = len(national) - len(f"{int(national)}")
    return PhoneNumber(
        country_code=country_code,
        national_number=int(national),
        italian_leading_zero=True if zeros else None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )
