"""Makes a store to try things with: a demo account, its key, and people from many regions, some of them merged."""

import fcntl
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from shlex import quote
from urllib.parse import urlencode
from uuid import UUID

import phonenumbers

from profile_lookup.accounts import keys
from profile_lookup.accounts import queries as accounts
from profile_lookup.accounts.administration import refuse_secret
from profile_lookup.accounts.credentials import Credentials, digest, new_account_sid, new_key_sid, new_secret
from profile_lookup.accounts.sign_in_links import make_code
from profile_lookup.clock import CLOCK
from profile_lookup.database.pool import Database
from profile_lookup.files import write_private
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.ingest.ingest import change_of, ingest
from profile_lookup.profiles.queries import is_stored
from profile_lookup.settings import Settings
from profile_lookup.stores import queries as stores
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.web import ids

STORE_NAME = "demo"
PUBLISHED_TOKEN = "demoOnlyAuthTokenChangeMe"  # noqa: S105 -- it was the default of docker-compose.yml
_KEPT = "demo.json"

log = logging.getLogger(__name__)

Contact = dict[str, str]
"""The traits in the `Contact` group of one request."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The credentials of the demo's own account, which the demo has made."""

    auth_token: str
    api_key: str
    api_secret: str


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo store. `secrets` is None if it is in the account that the operator has set.

    `sign_in_code` signs in to the console, once. An operator's account has none, since logs may keep what is printed.
    """

    account_sid: str
    store_id: str
    secrets: Secrets | None
    sign_in_code: str | None = None

    def for_client(self, base_url: str) -> dict[str, str]:
        """Return what a client needs, by the names that `demo --json` prints; no secret that the operator has set."""
        shown = {"baseUrl": base_url, "accountSid": self.account_sid, "storeId": self.store_id}
        if self.secrets is None:
            return shown
        of_demo = {
            "authToken": self.secrets.auth_token,
            "apiKey": self.secrets.api_key,
            "apiSecret": self.secrets.api_secret,
        }
        return shown | of_demo

    def docs_page(self, base_url: str) -> str:
        """Return the address of the docs page that fills in the demo's key and store.

        They are in the fragment, which browsers send to no server.
        """
        if self.secrets is None:
            return f"{base_url}/docs"
        filled_in = {"sid": self.secrets.api_key, "secret": self.secrets.api_secret, "storeId": self.store_id}
        return f"{base_url}/docs#{urlencode(filled_in)}"

    def console(self, base_url: str) -> str:
        """Return the address of the console. If the demo has a one-time code, it signs in as the demo's key.

        The code is in the fragment, as the credentials are in that of the docs page.
        """
        fragment = "" if self.sign_in_code is None else f"/sign-in#{urlencode({'code': self.sign_in_code})}"
        return f"{base_url}/console{fragment}"

    def curl(self, base_url: str) -> str:
        """Return a shell command that looks up, by phone number, a person who was two profiles until these merged."""
        user = '"$PROFILE_LOOKUP_BOOTSTRAP_ACCOUNT_SID:$PROFILE_LOOKUP_BOOTSTRAP_AUTH_TOKEN"'
        if self.secrets is not None:
            user = f"{self.secrets.api_key}:{self.secrets.api_secret}"
        body = json.dumps({"idType": "phone", "value": MERGED["phone"]})
        return (
            f"curl -s -u {user} -H 'Content-Type: application/json' "
            f"-d {quote(body)} {base_url}/v1/Stores/{self.store_id}/Profiles/Lookup"
        )


async def ensure_demo(database: Database, settings: Settings) -> Demo:
    """Make what is missing of the demo, and return it: the same each time, unless its credentials were revoked.

    If the settings name a bootstrap account, which must exist, the store belongs to that account, and no key is made.
    Otherwise the demo has an account of its own, whose credentials are kept in the data directory. Raises `OSError` if
    they cannot be written there.
    """
    if settings.bootstrap_account_sid is not None:
        return await _ensure_store(database, settings, settings.bootstrap_account_sid, None)
    with _kept_credentials(settings.data_dir) as kept:
        account_sid = kept.setdefault("accountSid", new_account_sid())
        auth_token = kept.setdefault("authToken", new_secret())
        async with database.transaction() as connection:
            account_id = await accounts.ensure_account(connection, "demo", Credentials(account_sid, digest(auth_token)))
            key = Credentials(kept.get("apiKey", ""), digest(kept.get("apiSecret", "")))
            caller = await accounts.verified_caller(connection, key)
            if caller is None or caller.account_id != account_id:
                kept |= {"apiKey": new_key_sid(), "apiSecret": new_secret()}
                key = Credentials(kept["apiKey"], digest(kept["apiSecret"]))
                await keys.add_key(connection, account_id, key, name="demo")
            code = await make_code(connection, key.sid)
        secrets = Secrets(auth_token, kept["apiKey"], kept["apiSecret"])
        demo = await _ensure_store(database, settings, account_sid, secrets)
        return replace(demo, sign_in_code=code)


async def revoke_known_secrets(database: Database, settings: Settings) -> None:
    """Refuse the token that was published with this program, and, beside an operator's account, the demo's credentials.

    An earlier version wrote a key of the operator's account to `demo.json` and to the log.
    """
    known = [] if _is_published(settings) else [PUBLISHED_TOKEN]
    if settings.bootstrap_account_sid is not None and (settings.data_dir / _KEPT).exists():
        with _kept_credentials(settings.data_dir) as kept:
            known += [kept[name] for name in ("authToken", "apiSecret") if name in kept]
            kept.clear()
    async with database.transaction() as connection:
        if any([await refuse_secret(connection, digest(secret)) for secret in known]):
            log.warning("the credentials of a demo, which others may know, are refused from now on")


def _is_published(settings: Settings) -> bool:
    token = settings.bootstrap_auth_token
    return token is not None and token.get_secret_value() == PUBLISHED_TOKEN


async def _ensure_store(database: Database, settings: Settings, account_sid: str, secrets: Secrets | None) -> Demo:
    async with database.transaction() as connection:
        account_id = await accounts.account_of(connection, account_sid)
        assert account_id is not None
        store_id = await stores.find(connection, account_id, STORE_NAME) or await stores.create(
            connection, account_id, display_name=STORE_NAME, description=None, max_stores=settings.max_stores
        )
    await _ensure_people(database, account_id, store_id)
    return Demo(account_sid, ids.store_id(store_id), secrets)


@contextmanager
def _kept_credentials(data_dir: Path) -> Iterator[dict[str, str]]:
    """Yield the content of `demo.json`, and save what the block makes of it, with mode 0600.

    Only one process at a time may be in the block.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / _KEPT
    with (data_dir / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        yield kept
        write_private(path, json.dumps(kept, indent=2))


async def _ensure_people(database: Database, account_id: UUID, store_id: UUID) -> None:
    people = demo_people()
    async with database.statements() as connection:
        store = await rules_in_force(connection, account_id, store_id)
        if "chat" not in store.settings.id_types:
            return  # somebody changed the settings and uses the store for something else
        last = store.settings.normalize(Identifier("chat", people[-1]["chat"]))
        if await is_stored(connection, store, last):
            return
    for person in people:
        await ingest(
            database,
            store,
            partial(change_of, sent={CONTACT.name: person}),
            CLOCK.now(),
            actor=Actor("command", "demo"),
        )


_FIRST_NAMES = ("Ada", "Bola", "Chen", "Dilnoza", "Emil", "Fatima", "Goran", "Hana", "Ines", "Jomo", "Kaya", "Lupe")
_LAST_NAMES = ("Abebe", "Bruun", "Costa", "Dang", "Eriksen", "Fofana", "Garcia")

MERGED: Contact = {
    "firstName": "Grace",
    "lastName": "Hopper",
    "email": "grace.hopper@example.com",
    "phone": "+1 317 555 6789",
    "chat": "grace",
}


def demo_people() -> Sequence[Contact]:
    """Return the requests in order: a person for each region of libphonenumber, then three whose profiles merge."""
    names = zip(cycle(_FIRST_NAMES), cycle(_LAST_NAMES), strict=False)
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    people = [_inhabitant(region, *name) for region, name in zip(regions, names, strict=False)]
    mergers = (
        people[0] | {"email": "first.caller@example.com"},
        people[1] | {"chat": "second-caller"},
        MERGED,
    )
    for merger in mergers:
        # Two profiles, one known by e-mail or chat and one by phone, until a request names both.
        people += [_only(merger, "email", "chat"), _only(merger, "phone"), merger]
    return people


def _inhabitant(region: str, first_name: str, last_name: str) -> Contact:
    number = phonenumbers.example_number_for_type(
        region, phonenumbers.PhoneNumberType.MOBILE
    ) or phonenumbers.example_number(region)
    assert number is not None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    person = {"firstName": first_name, "lastName": last_name, "country": region, "phone": e164}
    if first_name[0] in "ACEGIK":
        person["email"] = f"{first_name}.{last_name}.{region}@example.com".lower()
    if first_name[0] in "BEHK":
        person["whatsapp"] = f"whatsapp:{e164}"
    if first_name[0] in "CFIL":
        person["chat"] = f"{first_name}-{region}".lower()
    return person


def _only(person: Contact, *identifiers: str) -> Contact:
    return {name: value for name, value in person.items() if name in ("firstName", "lastName", *identifiers)}
