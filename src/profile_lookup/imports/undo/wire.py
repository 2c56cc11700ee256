"""The JSON body of the request to undo an import."""

from pydantic import Field

from profile_lookup.web.wire import WireModel


class UndoBody(WireModel):
    dry_run: bool = Field(
        default=False, description="Whether only the operation's results are wanted, and nothing is changed."
    )
