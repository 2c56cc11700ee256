"""Query parameters of operations that are ours: a misspelt one must not be ignored as if it filtered nothing."""

from fastapi import Request
from fastapi.dependencies.models import Dependant

from profile_lookup.errors import RequestRefused


def query_names(dependant: Dependant) -> dict[str, bool]:
    """Return the names of all query parameters of a route, and whether each is documented."""
    names = {each.alias: bool(getattr(each.field_info, "include_in_schema", True)) for each in dependant.query_params}
    for dependency in dependant.dependencies:
        names |= query_names(dependency)
    return names


async def refuse_unknown_query(request: Request) -> None:
    """Raise `RequestRefused` if the request has a query parameter that its route does not know."""
    known: dict[str, bool] = request.scope["route"].query_names
    if not known.keys() >= request.query_params.keys():
        documented = ", ".join(name for name, is_documented in known.items() if is_documented)
        raise RequestRefused(f"query: expected {documented and 'only '}{documented or 'no parameters'}")
