"""Random writes to a store, and the settings under which they are made."""

import os
from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple, get_args

from hypothesis import strategies as st

from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings, LimitPolicy
from tests.identity.building import contact, identifier
from tests.identity.examples import examples
from tests.model import model

CASES = int(os.environ.get("SPLIT_CASES", examples(300)))
"""The number of random cases: in memory, of each property; over HTTP, of all properties together."""

Kind = Literal["create", "patch", "add", "replace", "remove", "erase", "split", "lift"]


def kinds(**weights: int) -> list[Kind]:
    """Return each kind of write as often as its weight says."""
    return [kind for kind in get_args(Kind) for _ in range(weights.get(kind, 0))]


def config(id_type: str, unique: bool = True, limit: int = 100, policy: LimitPolicy = "fifo") -> IdentifierConfig:
    return IdentifierConfig(id_type, enforce_unique=unique, limit=limit, limit_policy=policy, normalization="none")


UNIQUE = IdentityResolutionSettings((config("email"), config("phone")), ("email", "phone"))
LIMITED = IdentityResolutionSettings((config("email", limit=2), config("phone", limit=2)), ("email", "phone"))
LIFO = IdentityResolutionSettings(
    (config("email", limit=2, policy="lifo"), config("phone", limit=2, policy="lifo")), ("email", "phone")
)
SHARED = IdentityResolutionSettings(
    (config("email"), config("cookie", unique=False), config("device", unique=False)), ("email", "cookie", "device")
)
MIXED = IdentityResolutionSettings(
    (
        config("email", limit=2),
        config("cookie", unique=False, limit=2),
        config("device", unique=False, limit=1, policy="lifo"),
        config("passport"),
        config("tag", unique=False),
    ),
    ("email", "cookie", "device"),
)
ALL_SETTINGS = {"unique": UNIQUE, "limited": LIMITED, "lifo": LIFO, "shared": SHARED, "mixed": MIXED}

NAMES = [contact("city"), contact("state")]


class RandomWrite(NamedTuple):
    """A write whose profile, identifier and events are given as numbers, of those that there are by then."""

    kind: Kind
    profile: int = 0
    carried: tuple[NormalizedIdentifier, ...] = ()
    traits: tuple[tuple[TraitName, int | None], ...] = ()
    which: int = 0
    keeps_apart: bool = True


def random_write(chance: Random, settings: IdentityResolutionSettings, kinds: Sequence[Kind]) -> RandomWrite:
    """Return a write of one of these kinds; a kind that stands there twice is twice as likely."""
    values = [identifier(f"{each.id_type}:{value}") for each in settings.identifier_configs for value in "abcd"]
    kind = chance.choice(kinds)
    sizes = {"create": (1, 1, 2, 2, 3), "patch": (0, 0, 1), "add": (1,), "replace": (1,)}
    written: list[int | None] = [1, 2, 3]
    if kind == "patch" and "remove" in kinds:
        written += [None, None]
    traits = [(name, chance.choice(written)) for name in NAMES if kind in {"create", "patch"} and chance.random() < 0.4]
    return RandomWrite(
        kind,
        chance.randrange(9),
        tuple(chance.sample(values, chance.choice(sizes.get(kind, (0,))))),
        tuple(traits),
        chance.randrange(1, 64),
        chance.random() < 0.8,
    )


def writes(
    settings: IdentityResolutionSettings, kinds: Sequence[Kind], least: int, most: int
) -> st.SearchStrategy[list[RandomWrite]]:
    """Draw lists of writes.

    Hypothesis prefers simple and repeated values. As it draws only a seed, the kinds alone decide how likely a write is.
    """

    def from_seed(seed: int) -> list[RandomWrite]:
        chance = Random(seed)
        return [random_write(chance, settings, kinds) for _ in range(chance.randint(least, most))]

    return st.integers(0, 2**64 - 1).map(from_seed)


def model_settings(settings: IdentityResolutionSettings) -> model.Settings:
    configs = {
        each.id_type: model.Config(each.normalization, each.enforce_unique, each.limit, each.limit_policy)
        for each in settings.identifier_configs
    }
    return model.Settings(configs, settings.matching_rules)
