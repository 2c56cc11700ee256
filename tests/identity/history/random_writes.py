"""Random writes to a store, and the settings under which they are made."""

import os
from collections.abc import Sequence
from typing import Literal, NamedTuple

from hypothesis import strategies as st

from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings, LimitPolicy
from tests.identity.building import contact, identifier
from tests.model import model

CASES = int(os.environ.get("SPLIT_CASES", "300"))
"""The number of random cases of each property."""

Kind = Literal["create", "patch", "add", "replace", "remove", "erase", "split", "lift"]


def kind_of(id_type: str, unique: bool = True, limit: int = 100, policy: LimitPolicy = "fifo") -> IdentifierConfig:
    return IdentifierConfig(id_type, enforce_unique=unique, limit=limit, limit_policy=policy, normalization="none")


UNIQUE = IdentityResolutionSettings((kind_of("email"), kind_of("phone")), ("email", "phone"))
LIMITED = IdentityResolutionSettings((kind_of("email", limit=2), kind_of("phone", limit=2)), ("email", "phone"))
LIFO = IdentityResolutionSettings(
    (kind_of("email", limit=2, policy="lifo"), kind_of("phone", limit=2, policy="lifo")), ("email", "phone")
)
SHARED = IdentityResolutionSettings(
    (kind_of("email"), kind_of("cookie", unique=False), kind_of("device", unique=False)), ("email", "cookie", "device")
)
MIXED = IdentityResolutionSettings(
    (
        kind_of("email", limit=2),
        kind_of("cookie", unique=False, limit=2),
        kind_of("device", unique=False, limit=1, policy="lifo"),
        kind_of("passport"),
        kind_of("tag", unique=False),
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


def writes(settings: IdentityResolutionSettings, kinds: Sequence[Kind]) -> st.SearchStrategy[RandomWrite]:
    """Draw writes of these kinds; a kind that stands there twice is twice as likely."""
    values = [identifier(f"{config.id_type}:{value}") for config in settings.identifier_configs for value in "abcd"]
    removes = "remove" in kinds

    def of_kind(kind: Kind) -> st.SearchStrategy[RandomWrite]:
        sizes = {"create": (1, 3), "patch": (0, 1), "add": (1, 1), "replace": (1, 1)}
        least, most = sizes.get(kind, (0, 0))
        some = st.sampled_from([1, 2, 3])
        value = some | st.none() if kind == "patch" and removes else some
        pairs = st.lists(st.tuples(st.sampled_from(NAMES), value), max_size=2, unique_by=lambda pair: pair[0])
        return st.builds(
            RandomWrite,
            st.just(kind),
            st.integers(0, 8),
            st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True).map(tuple),
            pairs.map(tuple) if kind in {"create", "patch"} else st.just(()),
            st.integers(1, 63),
            st.booleans() if kind == "split" else st.just(True),
        )

    return st.one_of([of_kind(kind) for kind in kinds])


def model_settings(settings: IdentityResolutionSettings) -> model.Settings:
    configs = {
        each.id_type: model.Config(each.normalization, each.enforce_unique, each.limit, each.limit_policy)
        for each in settings.identifier_configs
    }
    return model.Settings(configs, settings.matching_rules)
