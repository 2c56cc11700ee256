"""Stores on the wire."""

from typing import Annotated

from pydantic import ConfigDict, Field

from profile_lookup.web.wire import WireModel, WireText

DISPLAY_NAME_PATTERN = "^[a-zA-Z0-9-]+$"


class StoreRequest(WireModel):
    # The contract leaves this object open, so what a newer client adds is not an error.
    model_config = ConfigDict(extra="ignore")

    display_name: str = Field(
        pattern=DISPLAY_NAME_PATTERN,
        max_length=64,
        description="Unique within the account.",
        examples=["customers"],
    )
    # The official SDKs send null for what was left out.
    description: Annotated[WireText, Field(min_length=1, max_length=128)] | None = None
