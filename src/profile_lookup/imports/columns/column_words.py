"""The words in the names of columns: which trait of `Contact` they name, and what may stand beside them.

The names are those of other programs' exports. A word is compared without case and accents, and without the white space
and punctuation within it: see `column_names.simplified`. A word that names two traits in two languages is not here:
`cep` is a postal code in Brazil and a mobile phone in Turkey.
"""

TRAITS: dict[str, tuple[str, ...]] = {
    "email": (
        "email", "emails", "emailid", "emailaddr", "mail", "mails", "mailid",
        "emailadresse", "emailadressen", "mailadresse",  # German
        "adressedemessagerie", "courriel", "mél",  # French
        "correo", "correoelectrónico", "correioeletrônico", "correioeletrónico",  # Spanish, Portuguese
        "postaelettronica", "emailadres", "mailadres",  # Italian, Dutch
        "pocztaelektroniczna", "pocztyelektronicznej",  # Polish
        "eposta", "epost", "sähköposti", "электроннаяпочта", "почта",  # Turkish, Swedish, Finnish, Russian
        "メールアドレス", "メール", "eメール", "電子メール", "电子邮件", "邮箱",  # Japanese, Chinese
    ),
    "phone": (
        "phone", "phones", "phoneno", "telephone", "telephones", "telephoneno", "tel", "telno", "mobile", "mobileno",
        "cell", "cellno", "cellphone", "landline", "directphone", "mob", "sms", "msisdn",
        "telefon", "telefonnummer", "telefonnr", "rufnummer", "rufnr", "handy", "mobil", "mobilfunk", "mobiltelefon",
        "festnetz", "autotelefon", "funktelefon", "haupttelefon", "handynr", "mobilnr",  # German
        "nodetéléphone", "portable", "fixe", "gsm",  # French
        "teléfono", "nodeteléfono", "tlf", "tlfno", "tfno", "móvil", "celular",  # Spanish
        "telefone", "telemóvel", "cellulare",  # Portuguese, Italian
        "telefoon", "telefoonnummer", "telefoonnr", "hoofdtelefoon", "mobiel", "mobiele",  # Dutch
        "telefonu", "komórka", "komórki",  # Polish
        "telefonno", "ceptelefonu", "ceptel", "cepno", "cepnumarasi", "iştelefonu", "evtelefonu",  # Turkish
        "puhelin", "puhelinnumero", "телефон", "номертелефона",  # Finnish, Russian
        "電話", "電話番号", "携帯", "携帯電話", "携帯番号", "携帯電話番号",  # Japanese
        "电话", "手机", "手机号",  # Chinese
    ),
    "whatsapp": ("whatsapp", "whatsappid", "whatsappno"),
    "chat": ("chat", "chatid"),
    "firstName": (
        "firstname", "fname", "givenname", "forename", "vorname", "prénom", "nombre", "nombres", "primernombre", "nome",
        "primeironome", "voornaam", "imię", "adi", "isim", "förnamn", "fornavn", "etunimi", "имя", "名",
    ),
    "lastName": (
        "lastname", "lname", "familyname", "surname", "nachname", "familienname", "zuname", "nom", "nomdefamille",
        "apellido", "apellidos", "primerapellido", "sobrenome", "apelido", "últimonome", "cognome", "achternaam",
        "nazwisko", "soyad", "soyadi", "soyisim", "efternamn", "etternavn", "sukunimi", "фамилия", "姓",
    ),
    "street": ("street", "straße", "rue", "calle", "via", "straat", "ulica"),
    "city": (
        "city", "town", "ort", "stadt", "wohnort", "ville", "ciudad", "población", "localidad", "cidade", "città",
        "comune", "plaats", "woonplaats", "miasto", "şehir", "市区町村",
    ),
    "state": (
        "state", "stateregion", "region", "province", "provincecode", "bundesland", "provincia", "都道府県",
    ),
    "postalCode": (
        "zip", "zipcode", "postcode", "postalcode", "plz", "postleitzahl", "codepostal", "códigopostal", "cap",
        "cp", "kodpocztowy", "postakodu", "郵便番号",
    ),
    "country": (
        "country", "countrycode", "countryregion", "land", "landregion", "pays", "paysrégion", "país", "paísregión",
        "paese", "kraj", "ülke", "国",
    ),
    "preferredLanguage": ("language", "preferredlanguage", "sprache", "langue", "idioma", "lingua", "taal"),
}  # fmt: skip

WHOLE_NAMES = {
    "contactnumber": "phone", "contactno": "phone",
    "address1": "street", "addressline1": "street", "billingaddress1": "street", "defaultaddressaddress1": "street",
}  # fmt: skip
"""Names of columns that say nothing if another word stands beside them."""

OWN_ADDRESSES = (
    "number", "numbers", "n", "nummer", "nr", "num", "numéro", "número", "numero", "numer", "numarasi", "番号",
    "address", "addresses", "adresse", "adres", "adresi", "dirección", "direcciones", "indirizzo", "endereço",
    "アドレス", "value", "wert", "valeur", "valor", "valore", "e164", "required", "c",
    "of", "the", "de", "del", "di", "da", "do", "la", "le", "l", "op", "na", "en", "el",
    "home", "work", "business", "office", "primary", "secondary", "other", "main", "personal", "private",
    "default", "alt", "alternate", "alternative", "additional", "recovery", "billing", "shipping", "car", "day",
    "daytime", "evening", "preferred", "best", "optional", "first", "second", "1st", "2nd",
    "privat", "geschäftlich", "dienstlich", "beruflich", "weitere", "weiteres", "weiterer",  # German
    "domicile", "bureau", "travail", "perso", "personnel", "professionnel", "pro", "principal", "autre",
    "voiture",  # French
    "trabajo", "casa", "domicilio", "particular", "oficina", "laboral", "otro", "fijo", "automóvil",  # Spanish
    "comercial", "residencial", "pessoal", "trabalho", "outro", "fixo",  # Portuguese
    "ufficio", "uff", "abitazione", "ab", "personale", "lavoro", "principale", "altro", "fisso",  # Italian
    "werk", "thuis", "privé", "zakelijk", "andere", "vast",  # Dutch
    "służbowy", "domowy", "prywatny", "główny", "inny", "komórkowy", "komórkowego", "stacjonarny",  # Polish
    "kişisel", "自宅", "勤務先", "会社",  # Turkish, Japanese
)  # fmt: skip
"""What may stand beside the trait of a number or an e-mail address which is the person's own."""

PEOPLE = (
    "contact", "customer", "client", "person", "people", "user", "member", "subscriber", "participant", "attendee",
    "invitee", "guest", "patient", "lead", "kontakt", "kunde", "kunden", "cliente", "klant", "klient",
)  # fmt: skip
"""Who the person is. These words stand before the trait: an "email client" is a program."""

HOMES = (
    "home", "mailing", "default", "primary", "private", "billing", "address", "line", "1", "required", "c",
    "privat", "und", "hausnummer", "hausnr", "nr", "domicile", "domicilio", "residencia", "de", "del", "ab", "contact",
    "customer", "person",
)  # fmt: skip
"""What may stand beside the trait of a name or of a home's address. Those of a company are not the person's: its city
with the street of a home would be an address that does not exist."""

OTHERS = (
    "assistant", "asst", "assistent", "assistente", "asistente", "asystent", "ayudante", "manager", "owner",
    "emergency", "notfall", "urgence", "emergencia", "spouse", "referred", "zuständiger", "propriétaire", "propietario",
    "proprietario", "company", "organization", "organisation", "firma", "unternehmen", "société", "entreprise",
    "empresa", "azienda", "bedrijf", "zentrale", "centralita", "switchboard",
    "fax", "telefax", "faks", "télécopie", "telex", "texttelefon", "pager", "cercapersone", "localizador", "tty", "tdd",
    "isdn", "radio", "callback", "rückmeldung", "rappel", "phonetic", "nickname", "display",
    "label", "labels", "type", "typ", "tipo", "opt", "optin", "accepts", "consent", "verified", "status", "subscribed",
    "marketing", "note", "notes", "tag", "tags", "photo", "picture", "birthday", "birthdate", "date", "time", "created",
    "updated", "changed", "modified",
)  # fmt: skip
"""What makes an address or a number none of the person's own: that of an assistant, a company or a fax, or a remark."""

THINGS = (
    "id", "ip", "leid", "euid", "account", "web", "website", "url", "total", "orders", "spent", "rating", "latitude",
    "longitude", "timezone", "kundennummer", "kundennr",
)  # fmt: skip
"""What has numbers and addresses that are those of no person, unless the name says that it is a phone or an e-mail."""
