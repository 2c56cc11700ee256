"""A model of a store: dictionaries that one request after another changes, by the rules that `docs/` documents.

It is written independently of the service and as simply as possible, so that the two do not share their mistakes.
`normalize()` is the only code that they share.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import Normalization, normalize
from tests.model import requests
from tests.model.history import Event, History, NoJoin, Person, Replay
from tests.model.requests import Json, Request, Traits

Identifier = tuple[str, str]  # idType, normalized value
TraitName = tuple[str, str]  # group, name

ID_TYPE_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class Answer(NamedTuple):
    """`code`: the error code of the answer or of the accepted operation. `profile`: the ID that the answer names."""

    status: int
    code: int | None = None
    profile: str | None = None


class Refused(Exception):
    def __init__(self, status: int, code: int | None = None, profile: str | None = None) -> None:
        super().__init__(status, code)
        self.answer = Answer(status, code, profile)


@dataclass(frozen=True)
class Config:
    normalization: Normalization = "trim"
    is_unique: bool = True
    limit: int = 100
    policy: str = "fifo"


@dataclass(frozen=True)
class Settings:
    configs: Mapping[str, Config]
    rules: Sequence[str]

    @classmethod
    def of(cls, document: Json) -> "Settings":
        """Parse a settings document. Raises `Refused` if the document contradicts itself."""
        field_of = {"normalization": "normalization", "enforceUnique": "is_unique", "limit": "limit",
                 "limitPolicy": "policy"}  # fmt: skip
        configs = {
            config["idType"]: Config(**{ours: config[theirs] for theirs, ours in field_of.items() if theirs in config})
            for config in document["identifierConfigs"]
        }
        rules = document["matchingRules"]
        if (
            len(configs) < len(document["identifierConfigs"])
            or len(set(rules)) < len(rules)
            or not set(rules) <= configs.keys()
            or not all(ID_TYPE_CHARACTERS.issuperset(id_type) for id_type in configs)
        ):
            raise Refused(400, 520024)
        return cls(configs, rules)


DEFAULT_SETTINGS = Settings(
    {
        "email": Config("email"),
        "whatsapp": Config("trim"),
        "phone": Config("phone"),
        "chat": Config("trim"),
        "pushUserID": Config("trim"),
    },
    ["email", "whatsapp", "phone", "chat", "pushUserID"],
)


class Definition(NamedTuple):
    data_type: str
    promotion: str | None = None


CONTACT = {
    **dict.fromkeys(
        ("firstName", "lastName", "street", "city", "state", "postalCode", "country", "preferredLanguage"),
        Definition("STRING"),
    ),
    **{id_type: Definition("STRING", id_type) for id_type in ("email", "phone", "whatsapp", "chat")},
}


@dataclass
class Model:
    """`apart`: pairs of IDs, aliases included, that never become one person.

    `strangers`: requests, by their time, that are about somebody new, whoever they match. `history`: what each write
    did, for splits.
    """

    settings: Settings = DEFAULT_SETTINGS
    version: int = 1
    groups: dict[str, dict[str, Definition]] = field(default_factory=lambda: {"Contact": CONTACT})
    people: dict[str, Person] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    apart: set[frozenset[str]] = field(default_factory=set)
    strangers: frozenset[int] = frozenset()
    history: History = field(default_factory=History)

    def copy(self) -> "Model":
        people = {
            profile: Person(dict(person.identifiers), dict(person.traits)) for profile, person in self.people.items()
        }
        return replace(self, groups=dict(self.groups), people=people, aliases=dict(self.aliases), apart=set(self.apart))

    def answer(self, request: Request, at: int, new_profile: str) -> Answer:
        """Apply the request. `at`: its position in time among all requests; `new_profile`: the ID of a new profile."""
        try:
            return self._answer(request, at, new_profile)
        except Refused as refused:
            return refused.answer

    def replay(self, request: Request, at: int, answered: Answer) -> Answer:
        """Apply a request that the service answered, and return the expected answer. An unknown ID is a new profile."""
        named = answered.profile
        is_new = named is not None and named not in self.people and named not in self.aliases
        return self.answer(request, at, named if named is not None and is_new else "(new)")

    def _answer(self, request: Request, at: int, new_profile: str) -> Answer:  # noqa: C901, PLR0912 -- a case for each
        if not re.fullmatch("mem_profile_[0-7][0-9a-z]{25}", getattr(request, "profile", requests.UNKNOWN_PROFILE)):
            raise Refused(400, 520046)
        if set(getattr(request, "profile", "")[-26:]) & set("ilou"):  # it names no profile; nothing else is checked
            raise Refused(404, 20404)
        match request:
            case requests.CreateProfile(sent):
                traits = self._read(sent)
                incoming = self._promoted(traits)
                if not incoming:
                    raise Refused(400, 520005)
                return Answer(202, profile=self.write(at, incoming, traits, new_profile=new_profile))
            case requests.PatchTraits(profile, sent):
                traits = self._read(sent, may_remove=True)
                self.write(at, self._promoted(traits), traits, known=profile)
            case requests.AddIdentifier(profile, id_type, value):
                self.write(at, [self.normalized(id_type, value)], known=profile)
            case requests.PatchIdentifier(profile, id_type, old_value, new_value):
                old, new = self.normalized(id_type, old_value), self.normalized(id_type, new_value)
                held = self.person(profile, 308).identifiers
                if old not in held and new not in held:
                    raise Refused(404, 520014)
                self.write(at, [new], known=profile, replaced=old if old in held else None)
            case requests.RemoveIdentifiers(profile, id_type, remove_all):
                self._remove(profile, id_type, remove_all=remove_all)
            case requests.EraseProfile(profile):
                self.person(profile, 308)
                self.erase(profile)
            case requests.PutSettings(document):
                return self._put_settings(Settings.of(document))
            case requests.CreateTraitGroup(name, traits):
                self._create_group(name, traits)
            case requests.PatchTraitGroup(name, traits):
                self._patch_group(name, traits)
            case requests.DeleteTraitGroup(name):
                if name not in self.groups:
                    raise Refused(404, 520047)
                if name == "Contact":
                    raise Refused(400, 520050)
                del self.groups[name]
                self._delete_undefined_traits()
        return Answer(202)

    # Reads.

    def normalized(self, id_type: str, value: str) -> Identifier:
        if id_type not in self.settings.configs:
            raise Refused(400, 520046)
        try:
            return id_type, normalize(self.settings.configs[id_type].normalization, value)
        except ValueRefused:
            raise Refused(400, 520046) from None

    def profiles_with(self, identifier: Identifier) -> list[str]:
        """Return the profiles that a lookup of the identifier finds."""
        return sorted(profile for profile, person in self.people.items() if identifier in person.identifiers)

    def person(self, profile: str, moved: int) -> Person:
        """Return the person with a profile ID. `moved`: the status that redirects from an alias to the canonical ID."""
        if profile in self.aliases:
            raise Refused(moved, profile=self.aliases[profile])
        if profile not in self.people:
            raise Refused(404, 20404)
        return self.people[profile]

    def identifier_sets(self, profile: str) -> list[tuple[str, list[str]]]:
        """Return the values by type. Types are in the order of the settings, values in the order they were added."""
        held = self.people[profile].identifiers
        oldest_first = sorted(held, key=lambda identifier: held[identifier])
        sets = [
            (id_type, [value for of_type, value in oldest_first if of_type == id_type])
            for id_type in self.settings.configs
        ]
        return [(id_type, values) for id_type, values in sets if values]

    def trait_list(self, profile: str) -> list[tuple[str, str, Any]]:
        """Return the traits, the most recently written first."""
        traits = self.people[profile].traits
        newest_first = sorted(traits, key=lambda name: (traits[name][0], name), reverse=True)
        return [(*name, traits[name][1]) for name in newest_first]

    # Identity resolution.

    def write(
        self,
        at: int,
        incoming: Sequence[Identifier],
        traits: Mapping[TraitName, Any] | None = None,
        *,
        known: str | None = None,
        new_profile: str = "",
        replaced: Identifier | None = None,
    ) -> str:
        if known is not None:
            self.person(known, 308)
        matching, left_out = self._matching_profiles(at, incoming, known)
        withheld = {
            each
            for each in incoming
            if self.is_unique(each) and any(each in self.people[p].identifiers for p in left_out)
        }
        if withheld and (known is not None and not traits):
            raise Refused(409, 20409)
        if not matching and withheld.issuperset(incoming):
            raise Refused(400, 520005)
        before = {each: self.people[each].copy(self.ids_of(each)) for each in matching}
        canonical = self._merge(matching, default=new_profile)
        person = self.people.setdefault(canonical, Person())
        if replaced is not None:
            for identifier in (replaced, *incoming):
                person.identifiers.pop(identifier, None)
        for place, identifier in enumerate(incoming):
            if identifier not in withheld:
                person.identifiers.setdefault(identifier, (at, place))
        self.apply_limits(person, incoming)
        for name, value in (traits or {}).items():
            person.traits.pop(name, None)
            if value is not None:
                person.traits[name] = (at, value)
        carried = {place: each for place, each in enumerate(incoming) if each not in withheld}
        in_rules = [each for each in carried.values() if each[0] in self.settings.rules]
        matched = [(each, shared) for each, was in before.items() for shared in in_rules if shared in was.identifiers]
        event = Event(at, canonical, carried, dict(traits or {}), matched, before, known, replaced is not None)
        self.history.record(event, self.ids_of(canonical), replaced)
        return canonical

    def remove(self, profile: str, identifier: Identifier) -> None:
        """Remove one identifier, from history as well."""
        del self.people[profile].identifiers[identifier]
        self.history.forget(self.ids_of(profile), {identifier})

    def erase(self, profile: str) -> None:
        """Remove a profile with all its IDs, its history and what kept it apart."""
        ids = self.ids_of(profile)
        del self.people[profile]
        self.aliases = {alias: of for alias, of in self.aliases.items() if of != profile}
        self.apart = {pair for pair in self.apart if not pair & ids}
        self.history.events = [event for event in self.history.events if event.profile not in ids]

    def split(self, profile: str, named: Collection[int], *, keeps_apart: bool = True) -> None:
        """Undo the joins of the profile that happened at these times. Raises `Refused`."""
        others = {
            each
            for other, person in self.people.items()
            for each in person.identifiers
            if other != profile and self.is_unique(each)
        }
        try:
            replay = Replay(self, self.ids_of(profile), named, others)
        except NoJoin:
            raise Refused(400, 520046) from None
        del self.people[profile]
        self.aliases = {alias: of for alias, of in self.aliases.items() if of != profile}
        for part, person in replay.parts.items():
            self.people[part] = person.copy()
            self.aliases |= dict.fromkeys(person.ids - {part}, part)
        self.history.events = sorted(replay.events, key=lambda event: event.at)
        if keeps_apart:
            self.apart |= {
                frozenset((mine, theirs))
                for one, other in combinations(replay.parts.values(), 2)
                for mine in one.ids
                for theirs in other.ids
            }

    def lift(self, one: str, other: str) -> None:
        """Let two profiles be one person again."""
        self.apart -= {frozenset((mine, theirs)) for mine in self.ids_of(one) for theirs in self.ids_of(other)}

    def _matching_profiles(
        self, at: int, incoming: Sequence[Identifier], known: str | None
    ) -> tuple[set[str], set[str]]:
        """Return the profiles that are the person, and those that matched but are left out: they are kept apart."""
        strong = set() if known is None else {known}
        weak = set()
        first: dict[str, tuple[bool, int, int, str]] = {}
        for profile, person in self.people.items():
            shared = [each for each in incoming if each in person.identifiers and each[0] in self.settings.rules]
            if len(shared) > 1 or any(self.is_unique(each) for each in shared):
                strong.add(profile)
            elif shared:
                weak.add(profile)
            places = [(self.settings.rules.index(each[0]), incoming.index(each)) for each in shared]
            first[profile] = (profile != known, *min(places, default=(99, 0)), profile)
        matching: set[str] = set()
        if at in self.strangers:
            left_out = strong | weak
        else:
            for profile in sorted(strong, key=first.__getitem__):
                if not any(self.are_apart(profile, other) for other in matching):
                    matching.add(profile)
            left_out = strong - matching
            if not strong and len(weak) == 1:
                matching = weak
        for profile in self.people.keys() - matching - left_out:
            if any(self.is_unique(each) for each in incoming if each in self.people[profile].identifiers):
                raise Refused(409, 20409)
        return matching, left_out

    def ids_of(self, profile: str) -> set[str]:
        return {profile} | {alias for alias, of in self.aliases.items() if of == profile}

    def are_apart(self, one: str, other: str) -> bool:
        return any(
            frozenset((mine, theirs)) in self.apart for mine in self.ids_of(one) for theirs in self.ids_of(other)
        )

    def is_unique(self, identifier: Identifier) -> bool:
        return self.settings.configs[identifier[0]].is_unique

    def _merge(self, profiles: Collection[str], default: str = "") -> str:
        """Merge the profiles into the earliest one, without applying limits, and return its ID."""
        canonical = min(profiles, default=default)
        for absorbed in sorted(profiles)[1:]:
            into, person = self.people[canonical], self.people.pop(absorbed)
            for identifier, added in person.identifiers.items():
                into.identifiers[identifier] = min(added, into.identifiers.get(identifier, added))
            for name, written in person.traits.items():
                into.traits[name] = max(written, into.traits.get(name, written), key=lambda trait: trait[0])
            self.aliases = {alias: canonical if of == absorbed else of for alias, of in self.aliases.items()}
            self.aliases[absorbed] = canonical
        return canonical

    def apply_limits(self, person: Person, incoming: Collection[Identifier] = ()) -> None:
        for id_type, config in self.settings.configs.items():
            of_type = [identifier for identifier in person.identifiers if identifier[0] == id_type]
            of_type.sort(key=lambda identifier: person.identifiers[identifier])
            while len(of_type) > config.limit:
                if config.policy == "lifo":
                    evicted = of_type[-1]
                else:
                    evicted = next((identifier for identifier in of_type if identifier not in incoming), of_type[0])
                of_type.remove(evicted)
                del person.identifiers[evicted]

    def _remove(self, profile: str, id_type: str, *, remove_all: bool) -> None:
        held = self.person(profile, 308).identifiers
        of_type = sorted((each for each in held if each[0] == id_type), key=lambda each: held[each])
        if not of_type:
            raise Refused(404, 520017)
        if not remove_all:
            of_type = of_type[:1] if self.settings.configs[id_type].policy == "fifo" else of_type[-1:]
        for identifier in of_type:
            self.remove(profile, identifier)

    # Traits.

    def _read(self, sent: Traits, *, may_remove: bool = False) -> dict[TraitName, Any]:
        traits = {}
        for group, values in sent.items():
            for name, value in values.items():
                definition = self.groups.get(group, {}).get(name)
                if definition is None:
                    raise Refused(400, 520005)
                if not (may_remove and value is None) and not _is_of_type(definition.data_type, value):
                    raise Refused(400, 520005)
                traits[group, name] = value
            if group not in self.groups:
                raise Refused(400, 520005)
        return traits

    def _promoted(self, traits: Mapping[TraitName, Any]) -> list[Identifier]:
        incoming: list[Identifier] = []
        for (group, name), value in traits.items():
            promotion = self.groups[group][name].promotion
            if value is None or promotion is None or promotion not in self.settings.configs:
                continue
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str) and not item.strip():
                    continue
                try:
                    identifier = self.normalized(promotion, item if isinstance(item, str) else json.dumps(item))
                except Refused:
                    raise Refused(400, 520005) from None
                if identifier not in incoming:
                    incoming.append(identifier)
        return incoming

    def _create_group(self, name: str, traits: Json) -> None:
        definitions = self._definitions(traits)
        if name in self.groups:
            raise Refused(409, 520055)
        self.groups[name] = definitions

    def _patch_group(self, name: str, traits: Json) -> None:
        if name not in self.groups:
            raise Refused(404, 520047)
        kept = {trait: sent for trait, sent in traits.items() if sent["dataType"]}
        definitions = self.groups[name] | self._definitions(kept)
        definitions = {trait: each for trait, each in definitions.items() if trait in kept or trait not in traits}
        if name == "Contact" and not definitions.items() >= CONTACT.items():
            raise Refused(400, 520050)
        self.groups[name] = definitions
        self._delete_undefined_traits()

    def _definitions(self, traits: Json) -> dict[str, Definition]:
        definitions = {name: Definition(sent["dataType"], sent.get("idTypePromotion")) for name, sent in traits.items()}
        for definition in definitions.values():
            if definition.promotion is not None and definition.promotion not in self.settings.configs:
                raise Refused(400, 520046)
        return definitions

    def _delete_undefined_traits(self) -> None:
        """Delete traits that no group defines any more. Identifiers that were promoted from them stay."""
        for person in self.people.values():
            person.traits = {
                (group, name): written
                for (group, name), written in person.traits.items()
                if name in self.groups.get(group, {})
            }

    # Settings.

    def _put_settings(self, new: Settings) -> Answer:
        old = self.settings
        kept = [id_type for id_type in new.configs if id_type in old.configs]
        stored = {identifier[0] for person in self.people.values() for identifier in person.identifiers}
        if stored & (old.configs.keys() - new.configs.keys()):
            raise Refused(400, 520024)
        made_unique = {each for each in kept if new.configs[each].is_unique and not old.configs[each].is_unique}
        rewritten = {each for each in kept if new.configs[each].normalization != old.configs[each].normalization}
        if any(identifier[0] in made_unique - rewritten for identifier, _ in self._shared()):
            raise Refused(400, 520024)

        after = self.copy()
        after.settings = new
        after.version += 1
        try:
            for person in after.people.values():
                person.identifiers = after._renormalized(person.identifiers)
        except Refused:
            return Answer(202, 520024)
        merging = []
        for identifier, profiles in after._shared():
            if identifier[0] in rewritten and after.is_unique(identifier):
                if identifier[0] in made_unique or identifier[0] not in new.rules:
                    return Answer(202, 520024)
                merging.append(profiles)
        for profiles in merging:
            after._merge({after.aliases.get(profile, profile) for profile in profiles})
        for profile in {after.aliases.get(profile, profile) for profiles in merging for profile in profiles}:
            after.apply_limits(after.people[profile])
        self.settings, self.version, self.people, self.aliases = (
            after.settings,
            after.version,
            after.people,
            after.aliases,
        )
        return Answer(202)

    def _renormalized(self, identifiers: Mapping[Identifier, tuple[int, int]]) -> dict[Identifier, tuple[int, int]]:
        renormalized: dict[Identifier, tuple[int, int]] = {}
        for (id_type, value), added in identifiers.items():
            identifier = self.normalized(id_type, value)
            renormalized[identifier] = min(added, renormalized.get(identifier, added))
        return renormalized

    def _shared(self) -> Iterator[tuple[Identifier, list[str]]]:
        """Yield each identifier that several profiles have, with these profiles."""
        for identifier in {each for person in self.people.values() for each in person.identifiers}:
            profiles = self.profiles_with(identifier)
            if len(profiles) > 1:
                yield identifier, profiles


def _is_of_type(data_type: str, value: object) -> bool:
    match data_type, value:
        case "BOOLEAN", bool():
            return True
        case "NUMBER", int():
            return not isinstance(value, bool) and -(2**31) <= value < 2**31
        case "STRING", str():
            return len(value) <= 1024
        case "ARRAY", list():
            return all(any(_is_of_type(each, item) for each in ("BOOLEAN", "NUMBER", "STRING")) for item in value)
    return False
