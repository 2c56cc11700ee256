"""The names that columns have in the exports of other programs, and the trait of `Contact` that each of them holds.

A name is compared without case, accents, white space and punctuation: see `simplified`. The table holds names that can
mean one trait only. `tests/imports/test_column_names.py` tries it with names that were met.
"""

import re
import unicodedata
from itertools import product

# Kinds of addresses that are the person's own: not those of an assistant, nor the switchboard of the company.
_KINDS = (
    "", "home", "work", "business", "primary", "secondary", "other", "main", "personal", "private", "default",
    "alternate", "alternative", "contact", "customer", "billing", "shipping", "defaultaddress", "dienstlich",
    "geschaftlich", "privat",
)  # fmt: skip

_NAMES: dict[str, tuple[str, ...]] = {
    "email": (
        *map("".join, product(_KINDS, ("email", "emailaddress", "emailvalue", "emailaddr", "emailid", "mail"))),
        "mailaddress", "mailadresse", "emailadresse", "emailadressen",  # German
        "adresseemail", "adressemail", "adressedemessagerie", "courriel", "adressecourriel",  # French
        "correo", "correoelectronico", "direcciondecorreo", "direcciondecorreoelectronico",  # Spanish
        "enderecodeemail", "enderecoemail", "correioeletronico",  # Portuguese
        "indirizzoemail", "indirizzodipostaelettronica", "postaelettronica",  # Italian
        "emailadres", "mailadres",  # Dutch
        "adresemail", "adrespocztyelektronicznej", "pocztaelektroniczna",  # Polish
        "eposta", "epostaadresi", "emailadresi",  # Turkish
        "epost", "epostadress", "sahkoposti", "электроннаяпочта", "почта",  # Swedish, Finnish, Russian
        "メールアドレス", "メール", "eメール", "電子メール", "电子邮件", "邮箱",  # Japanese, Chinese
    ),
    "phone": (
        *map("".join, product(
            _KINDS,
            ("phone", "phonenumber", "phonevalue", "phoneno", "telephone", "telephonenumber", "tel", "mobile",
             "mobilephone", "mobilenumber", "mobilephonenumber", "cell", "cellphone", "cellnumber", "cellphonenumber"),
        )),
        "telephoneno", "telno", "telnumber", "mobileno", "phonemobile", "phonehome", "phonework", "contactnumber",
        "carphone", "sms", "smsnumber", "smsphonenumber", "msisdn",
        "telefon", "telefonnummer", "telefonnr", "rufnummer", "handy", "handynummer", "handynr", "mobil",
        "mobilnummer", "mobiltelefon", "mobilfunknummer", "telefonprivat", "telefongeschaftlich",
        "telefonmobil",  # German
        "numerodetelephone", "portable", "telephoneportable", "telephonemobile", "numerodeportable",  # French
        "telefono", "numerodetelefono", "movil", "telefonomovil", "celular", "telefonocelular",  # Spanish
        "telefone", "numerodetelefone", "telemovel", "telefonecelular", "telefonemovel",  # Portuguese
        "numeroditelefono", "cellulare", "telefonocellulare",  # Italian
        "telefoon", "telefoonnummer", "mobiel", "mobielnummer", "mobieletelefoon", "mobielenummer",  # Dutch
        "numertelefonu", "telefonkomorkowy", "komorka",  # Polish
        "telefonnumarası", "ceptelefonu",  # Turkish
        "puhelin", "puhelinnumero", "mobilnr", "телефон", "номертелефона",  # Finnish, Swedish, Russian
        "電話番号", "電話", "携帯電話", "携帯番号", "携帯電話番号", "电话", "手机", "手机号",  # Japanese, Chinese
    ),
    "whatsapp": ("whatsapp", "whatsappnumber", "whatsappphone", "whatsappid", "whatsappphonenumber"),
    "chat": ("chat", "chatid"),
    "firstName": (
        "firstname", "fname", "givenname", "forename", "contactfirstname", "customerfirstname",
        "defaultaddressfirstname",
        "vorname", "prenom", "nombre", "nome", "primeironome", "primernombre", "voornaam", "imie", "adı", "isim",
        "fornamn", "fornavn", "etunimi", "имя", "名",
    ),
    "lastName": (
        "lastname", "lname", "familyname", "surname", "contactlastname", "customerlastname", "defaultaddresslastname",
        "nachname", "familienname", "zuname", "nom", "nomdefamille", "apellido", "apellidos", "sobrenome", "apelido",
        "cognome", "achternaam", "nazwisko", "soyad", "soyadı", "soyisim", "efternamn", "etternavn", "sukunimi",
        "фамилия", "姓",
    ),
    "street": (
        "street", "streetaddress", "address1", "addressline1", "addressstreet", "address1street", "homestreet",
        "mailingstreet", "defaultaddressaddress1", "strasse", "strasseundhausnummer", "rue", "calle", "via", "straat",
        "ulica",
    ),
    "city": (
        "city", "town", "homecity", "mailingcity", "address1city", "defaultaddresscity", "ort", "stadt", "wohnort",
        "ville", "ciudad", "cidade", "citta", "plaats", "woonplaats", "miasto", "sehir", "şehir",
    ),
    "state": (
        "state", "stateregion", "stateprovince", "province", "region", "homestate", "mailingstate", "address1region",
        "defaultaddressprovince", "defaultaddressprovincecode", "bundesland", "provincia",
    ),
    "postalCode": (
        "zip", "zipcode", "zippostalcode", "postcode", "postalcode", "homepostalcode", "mailingpostalcode",
        "address1postalcode", "defaultaddresszip", "plz", "postleitzahl", "codepostal", "codigopostal", "cap",
        "kodpocztowy", "postakodu", "郵便番号",
    ),
    "country": (
        "country", "countryregion", "homecountryregion", "mailingcountry", "address1country", "defaultaddresscountry",
        "defaultaddresscountrycode", "countrycode", "land", "pays", "pais", "paese", "kraj", "ulke", "国",
    ),
    "preferredLanguage": ("language", "preferredlanguage", "sprache", "langue", "idioma", "lingua", "taal"),
}  # fmt: skip

_LEFT_OUT = frozenset(
    {
        "fax", "telefax", "pager", "telex", "tty", "tdd", "isdn", "callback", "radio", "telecopie",
        "assistant", "assistants", "manager", "managers", "owner", "emergency", "spouse", "referred", "company",
        "organization", "organisation", "label", "labels", "type", "display", "opt", "optin", "accepts", "consent",
        "verified", "status", "subscribed", "marketing", "note", "notes", "tag", "tags", "photo", "picture", "id", "ip",
        "leid", "euid", "birthday", "birthdate", "date", "time", "created", "updated", "changed", "total", "orders",
        "spent", "rating", "latitude", "longitude", "timezone", "website", "web", "url", "phonetic", "nickname",
        "account", "kundennummer", "kundennr",
    }
)  # fmt: skip
"""Words in the names of columns that hold nobody's own number or address: a fax, an assistant, what an address is."""

_BETWEEN_WORDS = re.compile(r"[\W_]+")
_DIGITS = re.compile("[0-9]+")
_NUMBERED = ("email", "phone", "whatsapp")
"""Traits of which a person has several in an export, with a number in the column's name."""


def trait_of(column: str) -> str | None:
    """Return the trait of `Contact` that a column with this name holds, or None if the table does not know the name."""
    name = simplified(column)
    trait = _TRAITS.get(name)
    if trait is None:
        numbered = _TRAITS.get(_DIGITS.sub("", name))
        trait = numbered if numbered in _NUMBERED else None
    return trait


def is_left_out(column: str) -> bool:
    """Return whether columns with this name are left out on purpose, whatever they hold."""
    words = {*_words(column).split(" ")}
    return bool(words & _LEFT_OUT or {_DIGITS.sub("", word) for word in words} & _LEFT_OUT)


def simplified(name: str) -> str:
    """Return the name in lower case, without accents, white space and punctuation: `straße` becomes `strasse`."""
    return _words(name).replace(" ", "")


def _words(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return _BETWEEN_WORDS.sub(" ", letters.replace("'s ", "s "))


_TRAITS = {simplified(name): trait for trait, names in _NAMES.items() for name in names}
