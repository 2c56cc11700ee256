"""Identifiers, and the IDs of profiles and events, in JSON."""

from typing import Annotated

from pydantic import Field

from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.values.normalization import MAX_LENGTH
from profile_lookup.web import ids
from profile_lookup.web.wire import WireModel

ProfileId = Annotated[str, Field(pattern=ids.PROFILE_ID_PATTERN, examples=[ids.EXAMPLE_PROFILE_ID])]
EventId = Annotated[str, Field(pattern=ids.EVENT_ID_PATTERN, examples=[ids.EXAMPLE_EVENT_ID])]
IdType = Annotated[
    str, Field(min_length=2, max_length=30, description="An identifier type of the store.", examples=["phone"])
]
Value = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_LENGTH,
        description="The value as you have it. It is normalized by the store's settings.",
        examples=["+13175556789"],
    ),
]


class IdentifierBody(WireModel):
    id_type: IdType
    value: Value

    def to_domain(self) -> Identifier:
        return Identifier(self.id_type, self.value)
