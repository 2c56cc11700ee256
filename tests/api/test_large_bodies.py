"""Large and deep bodies: others are served while a batch is read, and its parts have limits of their own."""

import asyncio
import json

import httpx
import pytest

from profile_lookup.errors import RequestRefused
from profile_lookup.profiles.batch_body import LIMITS, BatchBody
from profile_lookup.web.body import USUAL_LIMITS
from profile_lookup.web.json_text import MAX_DEPTH
from tests.conftest import finished

PROFILE = {"traits": {"Contact": {"phone": "+13175551234"}}}
LARGE = "x" * (USUAL_LIMITS.size // 10)
"""A text that ten profiles have, so that the body is larger than others may be."""


def large_batch(count: int = 11) -> list[dict[str, object]]:
    return [{"traits": {"Contact": {"chat": f"c-{number}", "city": LARGE}}} for number in range(count)]


def encoded(profiles: object) -> bytes:
    return json.dumps({"profiles": profiles}).encode()


BATCH = encoded(large_batch())
BROKEN = encoded([*large_batch(), PROFILE]).replace(b'{"phone"', b"{phone")


async def test_others_are_served_while_the_largest_batch_is_read() -> None:
    item = {"traits": {"Contact": {"chat": [0] * 990}}}
    body = encoded([item] * 1000)
    assert LIMITS.values * 0.98 < body.count(b",") + body.count(b"[") + body.count(b"{") < LIMITS.values
    turns = 0
    reading = asyncio.create_task(BatchBody().parsed(body))
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert await reading == [json.dumps(item["traits"])] * 1000
    assert turns > 3


async def test_each_profile_of_a_large_batch_may_have_as_many_values_as_a_create() -> None:
    item = {"traits": {"Contact": {"chat": [0] * 99_000}}}
    assert await BatchBody().parsed(encoded([item] * 9)) == [json.dumps(item["traits"])] * 9


async def test_a_large_batch_is_accepted_as_a_small_one_is(client: httpx.AsyncClient, store_id: str) -> None:
    sent = json.dumps({"profiles": [*large_batch(), PROFILE]}, indent=1)
    headers = {"Content-Type": "application/json"}
    operation = await finished(
        client, await client.put(f"/v1/Stores/{store_id}/Profiles/Bulk", content=sent, headers=headers)
    )
    results = (await client.get(operation["resultUrl"])).json()["results"]
    assert [each["status"] for each in results] == ["failed"] * 11 + ["created"]  # a city of this length is no trait


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (BATCH[:-2], f"body: expected JSON; it is malformed at character {len(BATCH) - 2}"),
        (BATCH + b" x", f"body: expected JSON; it is malformed at character {len(BATCH) - 2}"),
        (encoded([*large_batch(), 1]), "profiles.11: Input should be a valid dictionary"),
        (encoded([*large_batch(), {"x": 1}]), "profiles.11.x: Extra inputs are not permitted"),
        (encoded([LARGE * 11] * 2), "profiles.0: expected JSON of at most 1048576 characters"),
        (BROKEN, f"body: expected JSON; it is malformed at character {BROKEN.find(b'phone')}"),
        (
            encoded([*large_batch(), *[{}] * 990]),
            "profiles: List should have at most 1000 items after validation, not more",
        ),
        (
            b'{"x":1,' + encoded(large_batch())[1:],
            'body: expected {"profiles": […]} with no other member in a body of more than 1048576 bytes or 100000 values',
        ),
        (
            encoded([{"traits": {"Contact": {"chat": [0] * 200_000}}}]),
            "The request body has more than 100000 values: commas and opening brackets",
        ),
    ],
)
async def test_a_large_batch_is_refused_with_its_mistake(body: bytes, message: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        await BatchBody().parsed(body)
    assert str(refused.value) == message


@pytest.mark.parametrize("large", [False, True])
async def test_a_value_may_be_nested_as_deep_as_the_limit_and_no_deeper(*, large: bool) -> None:
    def body(depth: int) -> bytes:
        nested = b"[" * depth + b"]" * depth
        return encoded(large_batch() if large else [PROFILE])[:-2] + b',{"traits":{"x":{"y":' + nested + b"}}}]}"

    outer = 3 if large else 5  # a large batch is read profile by profile
    await BatchBody().parsed(body(MAX_DEPTH - outer))
    for depth in (MAX_DEPTH - outer + 1, 50_000):
        with pytest.raises(RequestRefused, match=f"at most {MAX_DEPTH} levels of nesting"):
            await BatchBody().parsed(body(depth))


@pytest.mark.parametrize("text", ['"[' + "[" * 300, "[" * 9 + '"\\', '"' + '\\"' * 100_000, '["\\"[[[["]'])
async def test_brackets_within_texts_are_not_nested(client: httpx.AsyncClient, store_id: str, text: str) -> None:
    value = json.dumps({"idType": "chat", "value": "[" * 200 + '\\"' * 20})
    found = await client.post(
        f"/v1/Stores/{store_id}/Profiles/Lookup", content=value, headers={"Content-Type": "application/json"}
    )
    assert found.status_code == 200
    with pytest.raises(RequestRefused, match=r"malformed|dictionary"):
        await BatchBody().parsed(text.encode())
