"""Dependencies of `/testing/…`: the double, a seed that is sent as YAML or JSON, and that there is no query."""

from typing import Annotated

from fastapi import Depends, Request

from profile_lookup.errors import RequestRefused
from profile_lookup.testing.double import Double
from profile_lookup.testing.seed_file import parse_seed
from profile_lookup.testing.wire import Seed
from profile_lookup.web.body import BodyLimits, JsonBody

_LIMITS = BodyLimits(size=64 << 20, values=5_000_000)


async def _double(request: Request) -> Double:
    double: Double = request.app.state.double
    return double


DoubleOfApp = Annotated[Double, Depends(_double)]


async def refuse_query_parameters(request: Request) -> None:
    """Raise `RequestRefused` if there are any: none of these paths has one, and a misspelt one must not be ignored."""
    if request.query_params:
        raise RequestRefused("query: this path has no parameters; expected none")


class _SeedBody(JsonBody):
    async def __call__(self, request: Request) -> Seed:
        if "yaml" in request.headers.get("content-type", ""):
            return parse_seed(await request.body(), is_json=False)
        seed = await super().__call__(request)
        assert isinstance(seed, Seed)
        return seed


SentSeed = Annotated[Seed, Depends(_SeedBody(Seed, _LIMITS, RequestRefused))]
