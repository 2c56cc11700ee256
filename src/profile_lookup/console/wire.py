"""Parses what people typed into a form as the body of an API's request, and says in plain sentences what is wrong.

Programs are sent pydantic's own words (`web/wire.py`), which speak of inputs, strings and items.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from profile_lookup.errors import ProfileLookupError, RequestRefused
from profile_lookup.web.wire import place_of

Model = TypeVar("Model", bound=BaseModel)

_EXPECTED = {
    "bool_type": "yes or no",
    "distinct": "each of them once",
    "extra_forbidden": "nothing here, because it does not fit the rest",
    "finite_number": "a number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "missing": "a value",
    "nothing_to_change": "a change",
    "storable": "characters that can be stored: no NUL, and no half of a character",
    "store_id": "the ID of a store",
    "string_pattern_mismatch": "letters, digits, hyphens, underscores and dots",  # no form has another pattern
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "string_type": "a text",
    "time": "a time from 1970 on, such as 2027-01-15T10:15:30Z",
    "too_long": "at most {max_length}",
    "too_short": "at least {min_length}",
}
"""What was expected, by pydantic's type of a mistake. In braces are names of what the type says about the limit."""


def typed_as(model: type[Model], typed: object, refusal: Callable[[str], ProfileLookupError] = RequestRefused) -> Model:
    """Return what was typed as a model. Raises `refusal` with the first mistake, which never quotes what was typed."""
    try:
        return model.model_validate(typed)
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False)[0]
        reason = f"expected {expected(mistake['type'], mistake.get('ctx', {}))}"
        place = place_of(mistake["loc"])
        raise refusal(f"{place}: {reason}" if place else reason) from None


def expected(mistake: str, limits: Mapping[str, Any]) -> str:
    """Return what was expected where a mistake of this type was found."""
    words = _EXPECTED.get(mistake, "something else")
    return words.format_map({name: _shown(limit) for name, limit in limits.items()})


def _shown(limit: object) -> str:
    match limit:
        case float():
            return f"{limit:,g}"
        case int():
            return f"{limit:,}"
        case _:
            return str(limit)
