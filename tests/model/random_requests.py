"""Random requests. They use few values, so that profiles often match; now and then a request is refused."""

from collections.abc import Sequence
from random import Random
from typing import Any

from tests.model import requests
from tests.model.model import Definition, Model
from tests.model.requests import UNKNOWN_PROFILE, Json, Request, Traits

ID_TYPES = ("email", "phone", "chat", "cookie", "device")
# One normalization makes some of them equal and another does not; some are refused by a normalization.
PHONES = ("3175550001", "+1 317 555 0001", "+13175550001", "+13175550002", "317-555-0002")
VALUES = ("a", "A ", "b", "B", "c", " c", "C", *PHONES[:2])
UNUSUAL_VALUES = (None, 7, 1.5, True, "", "  ", "a", [["a"]], 2**31, "x" * 1025)
MALFORMED = "mem_profile_nonsense"
UNDECODABLE = "mem_profile_0000000000000000000000000u"

GROUPS: dict[str, Json] = {
    "Visit": {
        "cookie": {"dataType": "STRING", "idTypePromotion": "cookie"},
        "devices": {"dataType": "ARRAY", "idTypePromotion": "device"},
        "chats": {"dataType": "ARRAY", "idTypePromotion": "chat"},
        "number": {"dataType": "NUMBER", "idTypePromotion": "device"},
        "isNew": {"dataType": "BOOLEAN"},
    },
    "Extra": {
        "cookies": {"dataType": "ARRAY", "idTypePromotion": "cookie"},
        "emails": {"dataType": "ARRAY", "idTypePromotion": "email"},
    },
}
TRAITS = (
    ("Contact", "email"), ("Contact", "phone"), ("Contact", "chat"), ("Contact", "email"), ("Contact", "phone"),
    ("Contact", "city"), ("Visit", "cookie"), ("Visit", "devices"), ("Visit", "chats"), ("Visit", "number"),
    ("Visit", "isNew"), ("Extra", "cookies"), ("Extra", "emails"),
)  # fmt: skip


def full_document(chance: Random) -> Json:
    """Return settings that configure all types; most of them are matching rules."""
    return {
        "identifierConfigs": [_config(chance, id_type) for id_type in ID_TYPES],
        "matchingRules": _rules(chance, ID_TYPES),
    }


def changed_document(chance: Random, document: Json) -> Json:
    """Return the settings with one or two changes, after which they may contradict themselves."""
    configs = {config["idType"]: {**config} for config in document["identifierConfigs"]}
    rules = list(document["matchingRules"])
    for _ in range(chance.choice((1, 1, 2))):
        if chance.random() < 0.2:
            rules = _rules(chance, list(configs))
        elif chance.random() < 0.2 and len(configs) > 1:
            removed = configs.pop(chance.choice(list(configs)))
            rules = [rule for rule in rules if rule != removed["idType"]] or list(configs)
        else:
            _change_configs(chance, configs)
    if chance.random() < 0.1:
        rules.append(chance.choice((rules[0], *ID_TYPES, "nosuch")))
    return {"identifierConfigs": list(configs.values()), "matchingRules": rules}


def random_request(
    chance: Random, kind: type[Request], model: Model, profiles: Sequence[str], document: Json
) -> Request:
    """Return a random request of a kind. `profiles`: every ID that ever existed; `document`: the settings."""
    if kind is requests.CreateProfile:
        return requests.CreateProfile(_traits(chance, model))
    if kind is requests.PutSettings:
        return requests.PutSettings(changed_document(chance, document))
    if kind in (requests.CreateTraitGroup, requests.PatchTraitGroup, requests.DeleteTraitGroup):
        return _group_change(chance, kind, model)
    return _profile_write(chance, kind, model, profiles)


def sent_values(model: Model, request: Request) -> set[tuple[str, str]]:
    """Return the identifiers in a request, in the form in which they are sent."""
    match request:
        case requests.AddIdentifier(_, id_type, value):
            return {(id_type, value)}
        case requests.PatchIdentifier(_, id_type, old_value, new_value):
            return {(id_type, old_value), (id_type, new_value)}
        case requests.CreateProfile(traits) | requests.PatchTraits(_, traits):
            return {
                (promotion, item)
                for group, named in traits.items()
                for name, value in named.items()
                if (promotion := model.groups.get(group, {}).get(name, Definition("")).promotion) is not None
                for item in (value if isinstance(value, list) else [value])
                if isinstance(item, str) and 0 < len(item) < 256
            }
    return set()


def _config(chance: Random, id_type: str) -> Json:
    return {
        "idType": id_type,
        "normalization": chance.choice(("none", "none", "none", "none", "trim", "email", "phone")),
        "enforceUnique": chance.random() < 0.7,
        "limit": chance.choice((1, 2, 3)),
        "limitPolicy": chance.choice(("fifo", "lifo")),
    }


def _change_configs(chance: Random, configs: dict[str, Json]) -> None:
    id_type = chance.choice(ID_TYPES)
    config = configs.setdefault(id_type, _config(chance, id_type))
    match chance.choice(("one", "one", "normalizations", "normalizations", "omission")):
        case "one":
            what = chance.choice(("normalization", "normalization", "enforceUnique", "limit", "limitPolicy"))
            config[what] = _config(chance, id_type)[what]
        case "normalizations":
            normalization = chance.choice(("none", "trim", "email", "email"))
            for each in configs.values():
                each["normalization"] = normalization
        case "omission":
            config.pop(chance.choice(("normalization", "enforceUnique", "limit")), None)


def _rules(chance: Random, id_types: Sequence[str]) -> list[str]:
    """Return most of the types, in random order."""
    return chance.sample(id_types, max(1, len(id_types) - chance.choice((0, 0, 1, 1, 2, 4))))


def _profile_write(chance: Random, kind: type[Request], model: Model, profiles: Sequence[str]) -> Request:
    profile = _profile_id(chance, model, profiles)
    held = list(model.people[profile].identifiers) if profile in model.people else []
    id_type, old_value = chance.choice(held) if held else ("email", "a")
    if chance.random() < 0.2:
        id_type = chance.choice((*ID_TYPES, "nosuch"))
    if kind is requests.PatchIdentifier:
        return requests.PatchIdentifier(profile, id_type, old_value, _value(chance, model, id_type))
    if kind is requests.RemoveIdentifiers:
        return requests.RemoveIdentifiers(profile, id_type, chance.random() < 0.5)
    if kind is requests.AddIdentifier:
        id_type = chance.choice(list(model.settings.configs))
        return requests.AddIdentifier(profile, id_type, _value(chance, model, id_type))
    if kind is requests.PatchTraits:
        return requests.PatchTraits(profile, _traits(chance, model, may_remove=True))
    return requests.EraseProfile(profile)


def _profile_id(chance: Random, model: Model, profiles: Sequence[str]) -> str:
    """Return a profile ID: usually a canonical one, sometimes a merged, erased, unknown or malformed one."""
    if model.people and chance.random() < 0.8:
        return chance.choice(sorted(model.people))
    if model.aliases and chance.random() < 0.6:
        return chance.choice(sorted(model.aliases))
    return chance.choice((*profiles, UNKNOWN_PROFILE, UNDECODABLE, MALFORMED))


def _traits(chance: Random, model: Model, *, may_remove: bool = False) -> Traits:
    """Return one to three traits, most of which are promoted to identifiers."""
    sent: Traits = {}
    for _ in range(chance.choice((1, 2, 2, 3, 3))):
        group, name = chance.choice(TRAITS)
        definition = model.groups.get(group, {}).get(name, Definition("STRING"))
        value = _trait_value(chance, model, definition)
        if may_remove and chance.random() < 0.2:
            value = None
        if chance.random() < 0.03:
            value = chance.choice(UNUSUAL_VALUES)
        sent.setdefault(group, {})[name] = value
    return sent


def _trait_value(chance: Random, model: Model, definition: Definition) -> Any:
    match definition.data_type:
        case "ARRAY":
            items = [_value(chance, model, definition.promotion) for _ in range(chance.choice((0, 1, 1, 2, 3)))]
            return [*items, *chance.choice(((), (), (), (1,), (True,)))]
        case "NUMBER":
            return chance.choice((1, 2))
        case "BOOLEAN":
            return chance.choice((True, False))
    return _value(chance, model, definition.promotion)


def _value(chance: Random, model: Model, id_type: str | None) -> str:
    """Return a value that the type's normalization accepts; often one that a profile already has."""
    held = sorted(
        value for person in model.people.values() for of_type, value in person.identifiers if of_type == id_type
    )
    if held and chance.random() < 0.4:
        return chance.choice(held)
    config = model.settings.configs.get(id_type or "")
    return chance.choice(PHONES if config is not None and config.normalization == "phone" else VALUES)


def _group_change(chance: Random, kind: type[Request], model: Model) -> Request:
    name = chance.choice(("Visit", "Extra", "Extra", "Contact", "Nosuch"))
    if kind is requests.CreateTraitGroup or (name in GROUPS and name not in model.groups):
        return requests.CreateTraitGroup(name, GROUPS.get(name, {}))
    if kind is requests.DeleteTraitGroup:
        return requests.DeleteTraitGroup(name)
    traits: Json = {}
    for trait in chance.sample((*GROUPS.get(name, {}), "plan", "city"), chance.choice((1, 2))):
        traits[trait] = {"dataType": chance.choice(("STRING", "ARRAY", "NUMBER", ""))}
        if chance.random() < 0.6:
            traits[trait]["idTypePromotion"] = chance.choice(ID_TYPES)
    return requests.PatchTraitGroup(name, traits)
