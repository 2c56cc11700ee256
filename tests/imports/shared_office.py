"""A customer list of 150 colleagues, each with a phone of their own and all with one office address."""

from pathlib import Path

from tests.imports.conftest import mappings

PATH = Path(__file__).parent / "files" / "shared-office.csv"
FILE = PATH.read_bytes()
PHONES = [line.split(",")[1] for line in FILE.decode().splitlines()[1:]]
COLUMNS = mappings(**{"Email": "email", "Phone": "phone", "First Name": "firstName", "Last Name": "lastName"})
OFFICE = "office@acme.example"
