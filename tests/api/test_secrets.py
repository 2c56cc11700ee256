"""Secrets that the service makes are valid for every SDK, and secrets of any form stay valid."""

import re

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.accounts.credentials import Credentials, digest, is_sent_by_all_sdks, new_account_sid, new_secret
from profile_lookup.accounts.queries import ensure_account
from profile_lookup.database.pool import Database
from tests.conftest import BASE_URL
from tests.contract.conforming import ConformingTransport


def test_a_new_secret_is_256_random_bits_of_letters_and_digits() -> None:
    made = [new_secret() for _ in range(1000)]
    assert all(re.fullmatch("[A-Za-z0-9]{43}", secret) and is_sent_by_all_sdks(secret) for secret in made)
    assert len(set(made)) == 1000
    assert len(set("".join(made))) == 62
    assert 62**43 > 2**256


@pytest.mark.parametrize("secret", ["a-b", "a_b", "ä", "a b", "٣"])
def test_other_characters_are_not_sent_by_all_sdks(secret: str) -> None:
    assert not is_sent_by_all_sdks(secret)


async def test_a_secret_with_other_characters_stays_valid(app: FastAPI, database: Database) -> None:
    sid, token = new_account_sid(), "made-by_an-earlier_version"
    async with database.transaction() as connection:
        await ensure_account(connection, "old", Credentials(sid, digest(token)))
    transport = ConformingTransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=(sid, token)) as client:
        assert (await client.get("/v1/ControlPlane/Stores")).status_code == 200
