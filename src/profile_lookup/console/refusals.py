"""Refusals of forms that a person can correct."""

import re
from typing import NamedTuple, Self

from profile_lookup import errors
from profile_lookup.web.contract import message_of, status_and_code_of

CORRECTABLE = (
    errors.RequestRefused,
    errors.IdentifierRefused,
    errors.TraitsRefused,
    errors.SettingsRefused,
    errors.DefinitionProtected,
    errors.StoreLimitReached,
    errors.TraitGroupLimitReached,
    errors.TraitLimitReached,
    errors.StoreNameTaken,
    errors.TraitGroupNameTaken,
    errors.NothingToReplace,
    errors.NothingToRemove,
    errors.SeparationNotFound,
    errors.GrantExceeded,
    errors.Conflict,
    errors.Outdated,
    errors.TooManyOperations,
)
"""The errors that a form shows above its fields. All others end the request with a page of their own."""

_CHANGED = "Somebody else has changed this since you opened the page. Open it again, and then make your change"
_FIELD_AND_REASON = re.compile(r"([A-Za-z][\w.-]*): (.+)", re.DOTALL)


class Refusal(NamedTuple):
    """Why a form was refused. `form` is the form's name on its page, and `field` the field's, or empty."""

    form: str
    field: str
    reason: str
    status: int

    @classmethod
    def of(cls, form: str, error: errors.ProfileLookupError) -> Self:
        """Return the refusal that an error means. The API's messages begin with the name of the field."""
        message = _CHANGED if isinstance(error, errors.Outdated) else message_of(error)
        found = _FIELD_AND_REASON.fullmatch(message)
        field, reason = found.groups() if found else ("", message)
        return cls(form, field, reason, status_and_code_of(error)[0])
