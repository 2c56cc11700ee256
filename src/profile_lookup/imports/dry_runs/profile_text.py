"""A profile as text, with what decides about later rows: see `overlay.py`."""

import json
from uuid import UUID

from profile_lookup.database.documents import microseconds, separations_of, time_of
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.newcomers import NewProfile
from profile_lookup.identity.person_names import NAME_TRAITS
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.values.normalization import NormalizedValue


def text_of(profile: Profile) -> str:
    """Return the profile as JSON. Of its traits, only those of its name are kept."""
    return json.dumps(
        [
            [
                [*identifier, microseconds(at), *profile.names.get(identifier, ())]
                for identifier, at in profile.identifiers.items()
            ],
            [
                [*name, profile.traits[name].value, microseconds(profile.traits[name].written_at)]
                for name in NAME_TRAITS
                if name in profile.traits
            ],
            [
                [[str(each.decision), each.part, each.is_lifted] for each in of_id]
                for of_id in profile.separations
            ],
        ]
    )  # fmt: skip


def text_of_new(profile: NewProfile) -> str:
    """Return a new profile as JSON, as `text_of` does."""
    traits = {name: Trait(profile.traits[name], profile.created_at) for name in NAME_TRAITS if name in profile.traits}
    return text_of(Profile(profile.id, profile.identifiers, traits))


def profile_of(profile_id: UUID, text: str) -> Profile:
    """Return the profile that `text_of` serialized."""
    identifiers, traits, separations = json.loads(text)
    named = [
        (NormalizedIdentifier(id_type, NormalizedValue(value)), time_of(at), tuple(names))
        for id_type, value, at, *names in identifiers
    ]
    return Profile(
        profile_id,
        {identifier: at for identifier, at, _ in named},
        {TraitName(group, name): Trait(value, time_of(at)) for group, name, value, at in traits},
        {identifier: names for identifier, _, names in named if names},
        separations_of(separations),
    )
