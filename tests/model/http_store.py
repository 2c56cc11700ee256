"""A store that is read and written over HTTP, as the store in memory is: its IDs and times are numbers of writes."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from anyio.from_thread import BlockingPortal
from sqlalchemy import text

from profile_lookup.clock import CLOCK
from profile_lookup.database.documents import parsed_traits
from profile_lookup.database.event_rows import numbered_events
from profile_lookup.database.pool import Database
from profile_lookup.errors import JoinRefused, RequestRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Creation
from profile_lookup.identity.history.splitting import Split
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.web import ids
from tests.identity.building import at
from tests.identity.history.memory_store import DoneWrite, MemoryStore
from tests.identity.history.random_writes import RandomWrite
from tests.model.service import Store

MAX_CARRIED = 3
GROUP = "Ids"


@dataclass
class Service:
    """A running service, a store in it, and its database, all of which are used in another thread's event loop."""

    portal: BlockingPortal
    database: Database
    store: Store

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        answer: httpx.Response = self.portal.call(self.store.call, method, path, body)
        return answer

    def rows(self, query: str) -> Sequence[Any]:
        async def read() -> Sequence[Any]:
            async with self.database.statements() as connection:
                return (await connection.execute(text(query))).all()

        return self.portal.call(read)


def trait_group(settings: IdentityResolutionSettings) -> dict[str, Any]:
    """Return the definitions of traits by which a request carries any identifiers in any order."""
    return {
        f"{id_type}{place}": {"dataType": "STRING", "idTypePromotion": id_type}
        for id_type in settings.id_types
        for place in range(MAX_CARRIED)
    }


@dataclass
class _Times:
    """The time of each write, and the number of the write at each time."""

    sent: list[datetime] = field(default_factory=list)
    requested: dict[int, datetime] = field(default_factory=dict)

    def number(self, time: datetime) -> int:
        return bisect_right(self.sent, time)

    def note(self, time: datetime) -> int:
        """Note the time of an event, and return the number of its write."""
        number = self.number(time)
        self.requested[number] = time
        return number

    def as_number(self, time: datetime) -> datetime:
        """Return the time as the store in memory has it: the write's number in seconds, and the place in it."""
        number = self.number(time)
        return at(number) + (time - self.requested[number])


class HttpStore(MemoryStore):
    """All decisions are the service's. Erase what the store has before another one uses the same service."""

    def __init__(self, settings: IdentityResolutionSettings, service: Service) -> None:
        super().__init__(settings)
        self._service = service
        self._times = _Times()
        self._numbers: dict[UUID, int] = {}

    def do(self, write: RandomWrite) -> DoneWrite | None:
        """Do a write. A create and a patch carry their identifiers as traits, which are written as well."""
        if write.kind in {"create", "patch"}:
            carried = [
                (TraitName(GROUP, f"{each.id_type}{place}"), each.value) for place, each in enumerate(write.carried)
            ]
            traits = [(name, None if value is None else str(value)) for name, value in write.traits]
            write = write._replace(traits=(*carried, *traits))  # type: ignore[arg-type]  # values of any type will do
        return super().do(write)

    def change(self, change: Change, known: UUID | None = None) -> UUID:
        traits: dict[str, dict[str, Any]] = {}
        for (group, name), value in change.traits.items():
            traits.setdefault(group, {})[name] = value
        if known is None:
            answer = self._send("POST", "/Profiles", {"traits": traits})
            return UUID(int=self._numbers[self._uuid(answer.json()["id"])])
        path = f"/Profiles/{self._wire_id(known)}"
        if change.traits:
            self._send("PATCH", path, {"traits": traits})
            return known
        (new,) = change.incoming
        if change.replaced is None:
            self._send("POST", f"{path}/Identifiers", {"idType": new.id_type, "value": new.value})
            return known
        if new.id_type != change.replaced.id_type:
            raise RequestRefused("no request replaces a value by one of another type")
        body = {"idType": new.id_type, "oldValue": change.replaced.value, "newValue": new.value}
        self._send("PATCH", f"{path}/Identifiers/{new.id_type}", body)
        return known

    def erase(self, profile_id: UUID) -> None:
        self._send("DELETE", f"/Profiles/{self._wire_id(profile_id)}")

    def lift(self, one: UUID, other: UUID) -> None:
        """Raises `RequestRefused` if the two are not kept apart."""
        self._send("DELETE", f"/Profiles/{self._wire_id(one)}/Separations/{self._wire_id(other)}")

    def split(self, profile_id: UUID, named: list[UUID], *, keeps_apart: bool = True) -> Split:
        events = [ids.event_id(self._real(each)) for each in named]
        path = f"/Profiles/{self._wire_id(profile_id)}/Splits"
        try:
            answer = self._send("POST", path, {"events": events, "keepApart": keeps_apart})
        except RequestRefused as refused:
            raise JoinRefused(0, str(refused)) from None
        parts = {UUID(int=self._numbers[self._uuid(each["id"])]) for each in answer.json()["profiles"]}
        assert parts <= self.profiles.keys()
        return Split(UUID(int=self.number), (), ())

    def clear(self) -> None:
        for profile in self._service.portal.call(self._service.store.profiles):
            assert self._service.call("DELETE", f"/Profiles/{profile}").status_code == 202

    def _send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        self.number += 1
        self._times.sent.append(CLOCK.now())
        answer = self._service.call(method, path, body)
        if answer.status_code != 202:
            self.number -= 1
            self._times.sent.pop()
            assert answer.status_code in {400, 404, 409}, answer.text
            raise RequestRefused(answer.text)
        self._refresh()
        return answer

    def _refresh(self) -> None:
        """Read the whole store."""
        profiles = self._service.rows(
            "select id, created_at, traits, creation_number is not null as is_new from profile"
        )
        events = [
            event
            for _, event in numbered_events(
                self._service.rows(
                    "select number, id, kind, happened_at, profile_id, document from event "
                    "where kind not in ('split', 'erased', 'storeSettingsChanged') order by number"
                )
            )
        ]
        self._numbers |= {event.id: self._times.note(event.at) for event in events}
        self._numbers |= {row.id: self._times.note(row.created_at) for row in profiles}
        self.stored_events = [
            replace(event, id=self._number(event.id), profile_id=self._number(event.profile_id)) for event in events
        ]
        identifiers: dict[UUID, dict[NormalizedIdentifier, datetime]] = {}
        for row in self._service.rows("select profile_id, id_type, value, added_at from identifier"):
            identifier = NormalizedIdentifier(row.id_type, NormalizedValue(row.value))
            identifiers.setdefault(row.profile_id, {})[identifier] = self._times.as_number(row.added_at)
        self.profiles = {
            self._number(row.id): Profile(
                self._number(row.id),
                identifiers.get(row.id, {}),
                {
                    name: Trait(trait.value, self._times.as_number(trait.written_at))
                    for name, trait in parsed_traits(row.traits, row.created_at).items()
                },
                creation=Creation(at(self._times.number(row.created_at))) if row.is_new else None,
            )
            for row in profiles
        }
        self.aliases = {
            self._number(row.id): self._number(row.profile_id)
            for row in self._service.rows("select id, profile_id from alias")
        }

    def _number(self, real: UUID) -> UUID:
        return UUID(int=self._numbers[real])

    def _real(self, number: UUID) -> UUID:
        return next(real for real, found in self._numbers.items() if found == number.int)

    def _wire_id(self, number: UUID) -> str:
        """Return the ID of a profile. An event that became a profile has the same 26 characters."""
        canonical = {each for each in self._numbers if self._numbers[each] == number.int}
        stored = {self._uuid(each) for each in self._service.portal.call(self._service.store.profiles)}
        (real,) = canonical & stored
        return ids.profile_id(real)

    @staticmethod
    def _uuid(wire_id: str) -> UUID:
        uuid = ids.decoded(wire_id)
        assert uuid is not None
        return uuid
