"""The JSON of a person's traits, and of the answer to a create."""

from typing import Annotated, Any

from pydantic import Field

from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.identity.traits import MAX_TEXT
from profile_lookup.web.identifier_wire import ProfileId
from profile_lookup.web.wire import AnswerModel, MayBeAbsent, WireModel

_MAX_TRAITS = 99  # in a trait group
_VALUES = "Values by trait group and trait: strings, integers, booleans, or flat arrays of these."


def _with_contact(*, may_be_null: bool) -> dict[str, Any]:
    """Return what the schema of traits says of `Contact`, the trait group that every store has."""
    kind = ["string", "null"] if may_be_null else "string"
    return {
        "properties": {
            CONTACT.name: {
                "type": "object",
                "description": "The trait group that every store has. A store may add traits to it.",
                "properties": {
                    name: {"type": kind, "maxLength": MAX_TEXT} | _promotion(trait.id_type_promotion)
                    for name, trait in CONTACT.traits.items()
                },
                "additionalProperties": True,
                "maxProperties": _MAX_TRAITS,
            }
        }
    }


def _promotion(id_type: str | None) -> dict[str, str]:
    return {} if id_type is None else {"description": f"It identifies the person, as an identifier of type {id_type}."}


TraitGroups = dict[str, Annotated[dict[str, Any], Field(max_length=_MAX_TRAITS)]]

Traits = Annotated[
    TraitGroups,
    Field(max_length=50, description=_VALUES, json_schema_extra=_with_contact(may_be_null=False)),
]

TraitChanges = Annotated[
    TraitGroups,
    Field(
        max_length=50,
        description=f"{_VALUES} Null removes a trait in a PATCH, and is refused in any other request.",
        json_schema_extra=_with_contact(may_be_null=True),
    ),
]


class ProfileData(WireModel):
    traits: Annotated[TraitChanges | None, MayBeAbsent] = None


class ProfileCreated(AnswerModel):
    message: str = Field(max_length=255)
    id: ProfileId
