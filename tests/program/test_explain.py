"""`profile-lookup explain`, run as an operator does."""

import re

import httpx

from tests.conftest import make_profile
from tests.history.people import make_ann_and_bob_one
from tests.program.conftest import command


async def test_the_joins_of_a_profile_are_drawn_as_a_tree(
    client: httpx.AsyncClient, store_id: str, account: tuple[str, str], database_url: str
) -> None:
    ann, bob = await make_ann_and_bob_one(client, store_id)
    await make_profile(client, store_id, email="ann@example.com", chat="escaped\x1b[31m")
    explained = command("explain", store_id, bob, DATABASE_URL=database_url)
    assert (explained.returncode, explained.stderr) == (0, "")
    shown = re.sub(r"mem_event_\w+", "EVENT", re.sub(r"\S+T\S+Z", "TIME", explained.stdout))
    assert shown == (
        f"{ann}\n"
        f"├── TIME  merged  EVENT  by email ann@example.com, phone +13175550001  (account {account[0]})\n"
        f"│   └── {bob}\n"
        f"└── TIME  updated  EVENT  by email ann@example.com  (account {account[0]})\n"
        "Without one of these identifiers it would fall into several parts:\n"
        "├── email ann@example.com holds 3 parts together\n"
        "└── phone +13175550001 holds 2 parts together\n"
    )


async def test_a_value_cannot_control_the_terminal(client: httpx.AsyncClient, store_id: str, database_url: str) -> None:
    await make_profile(client, store_id, chat="c\x1b[31m", email="ann@example.com")
    ann = await make_profile(client, store_id, chat="c\x1b[31m", phone="+13175550001")
    assert "chat c\N{REPLACEMENT CHARACTER}[31m" in command("explain", store_id, ann, DATABASE_URL=database_url).stdout


async def test_what_cannot_be_explained_is_reported_in_one_line(
    client: httpx.AsyncClient, store_id: str, database_url: str
) -> None:
    nobody = "mem_profile_00000000000000000000000000"
    for arguments, message in (
        ((store_id, nobody), "There is no such profile in a store of this account"),
        (("mem_store_00000000000000000000000000", nobody), "There is no such profile in a store of this account"),
        (("customers", nobody), "STORE: expected mem_store_ and 26 characters"),
        ((store_id, "ann"), "PROFILE: expected mem_profile_ and 26 characters"),
    ):
        failed = command("explain", *arguments, DATABASE_URL=database_url)
        assert (failed.returncode, failed.stdout, failed.stderr) == (1, "", f"profile-lookup: {message}\n")
