"""Seeds: what they write, and how they are refused."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from profile_lookup.errors import OperatorError, RequestRefused
from profile_lookup.testing.seed_file import load_seed, parse_seed
from tests.conftest import look_up, make_profile
from tests.testing.conftest import FIRST_ID, SECOND_ID, STORE_ID, OpenDouble

SEEDED_ID = "mem_store_01h00000000000000000000009"
SEED = f"""
stores:
  - id: {SEEDED_ID}
    displayName: customers
    description: All of them
    identityResolutionSettings:
      identifierConfigs:
        - {{idType: phone, normalization: phone}}
        - {{idType: email, normalization: email}}
        - {{idType: crm, normalization: trim, limit: 1}}
      matchingRules: [phone, email]
    blockedValues:
      builtIn: false
      values: [{{idType: email, value: office@acme.example}}]
    traitGroups:
      - displayName: Billing
        traits:
          plan: {{dataType: STRING}}
          number: {{dataType: STRING, idTypePromotion: crm}}
    profiles:
      - id: {FIRST_ID}
        traits:
          Contact: {{phone: +1 317 555 6789, firstName: No}}
          Billing: {{plan: no, number: "007"}}
      - id: {SECOND_ID}
        traits:
          Contact: {{email: ann@example.com, country: NO}}
      - traits:
          Contact: {{email: bob@example.com}}
    merges:
      - traits:
          Contact: {{phone: +13175556789, email: ann@example.com}}
"""


async def test_a_seed_file_gives_stores_rules_profiles_and_merges(open_double: OpenDouble, tmp_path: Path) -> None:
    (tmp_path / "seed.yaml").write_text(SEED)
    async with open_double(seed_file=tmp_path / "seed.yaml") as client:
        assert await look_up(client, SEEDED_ID, "phone", "+13175556789") == [FIRST_ID]
        assert await look_up(client, SEEDED_ID, "email", "ann@example.com") == [FIRST_ID]
        assert len(await look_up(client, SEEDED_ID, "email", "bob@example.com")) == 1
        assert await look_up(client, SEEDED_ID, "crm", "007") == [FIRST_ID]
        moved = await client.get(f"/v1/Stores/{SEEDED_ID}/Profiles/{SECOND_ID}")
        assert moved.status_code == 301
        assert moved.headers["Location"].endswith(FIRST_ID)
        profile = (await client.get(f"/v1/Stores/{SEEDED_ID}/Profiles/{FIRST_ID}")).json()
        assert profile["traits"]["Billing"] == {"plan": "no", "number": "007"}
        blocked = (await client.get(f"/v1/ControlPlane/Stores/{SEEDED_ID}/BlockedValues")).json()
        assert blocked["values"] == [{"idType": "email", "value": "office@acme.example"}]
        assert await _stores(client) == [SEEDED_ID]


async def test_a_server_without_a_seed_has_an_empty_store(client: httpx.AsyncClient) -> None:
    assert await _stores(client) == [STORE_ID]
    assert (await client.get(f"/v1/Stores/{STORE_ID}/Profiles")).json()["profiles"] == []


async def test_a_store_that_the_seed_does_not_name_is_made_beside_those_of_the_seed(
    open_double: OpenDouble, tmp_path: Path
) -> None:
    (tmp_path / "seed.json").write_text(json.dumps({"stores": [{"id": SEEDED_ID, "displayName": "customers"}]}))
    async with open_double(seed_file=tmp_path / "seed.json", ephemeral_store_id=STORE_ID) as client:
        assert sorted(await _stores(client)) == [STORE_ID, SEEDED_ID]


async def test_a_seeded_store_has_no_built_in_blocked_values(client: httpx.AsyncClient) -> None:
    blocked = await client.get(f"/v1/ControlPlane/Stores/{STORE_ID}/BlockedValues")
    assert blocked.json()["builtIn"] is False


@pytest.mark.parametrize("media_type", ["application/yaml", "application/json"])
async def test_a_seed_can_be_sent_as_yaml_or_json(client: httpx.AsyncClient, media_type: str) -> None:
    seed = json.dumps(
        {"stores": [_store(profiles=[{"id": FIRST_ID, "traits": {"Contact": {"phone": "+13175556789"}}}])]}
    )
    answer = await client.post("/testing/seed", content=seed, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()) == (201, {"stores": [{"id": SEEDED_ID, "profiles": [FIRST_ID]}]})
    assert await look_up(client, SEEDED_ID, "phone", "+13175556789") == [FIRST_ID]


async def test_a_seed_may_have_more_stores_than_an_account_may_make(client: httpx.AsyncClient) -> None:
    seed = {"stores": [{"displayName": f"customers-{number}"} for number in range(20)]}
    assert (await client.post("/testing/seed", json=seed)).status_code == 201


async def test_a_seed_of_more_profiles_than_fit_in_a_transaction_keeps_their_order(client: httpx.AsyncClient) -> None:
    people = [{"traits": {"Contact": {"chat": f"chat-{number}"}}} for number in range(450)]
    profiles = (await client.post("/testing/seed", json={"stores": [_store(profiles=people)]})).json()["stores"][0][
        "profiles"
    ]
    assert len(set(profiles)) == 450
    for number in (0, 199, 200, 449):
        assert await look_up(client, SEEDED_ID, "chat", f"chat-{number}") == [profiles[number]]


ANN = {"traits": {"Contact": {"email": "ann@example.com"}}}
REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"displayName": "a b"}, "stores.0.displayName: String should match pattern"),
    ({"id": "mem_store_u"}, "stores.0.id: Input should be the ID of a store"),
    ({"id": STORE_ID}, "stores.0.id: expected the ID of no store that exists"),
    ({"profile": []}, "stores.0.profile: Extra inputs are not permitted"),
    ({"displayName": "default"}, "stores.0: "),
    (
        {"identityResolutionSettings": {"identifierConfigs": [{"idType": "crm"}], "matchingRules": ["email"]}},
        "stores.0.identityResolutionSettings: matchingRules",
    ),
    ({"blockedValues": {"builtIn": True, "values": [{"idType": "fax", "value": "1"}]}}, "stores.0.blockedValues: "),
    (
        {"traitGroups": [{"displayName": "Billing", "traits": {"n": {"dataType": "STRING", "idTypePromotion": "fax"}}}]},
        "stores.0.traitGroups.0: idTypePromotion: not configured in this store",
    ),
    ({"traitGroups": [{"displayName": "Billing"}] * 2}, "stores.0: traitGroups: expected each displayName once"),
    ({"profiles": [ANN, {"traits": {"Contact": {"phone": 13175556789}}}]}, "stores.0.profiles.1: traits.Contact.phone: expected a string"),
    ({"profiles": [ANN, {"traits": {"Contact": {"firstName": "Ann"}}}]}, "stores.0.profiles.1: traits: expected 1-1500 values"),
    ({"profiles": [ANN, ANN]}, "stores.0.profiles.1: traits: expected identifiers that no profile before has"),
    ({"profiles": [{"id": "ann", **ANN}]}, "stores.0.profiles.0.id: Input should be the ID of a profile"),
    ({"profiles": [{"id": FIRST_ID, **ANN}] * 2}, "stores.0: profiles: expected each id once"),
    ({"profiles": [ANN], "merges": [ANN]}, "stores.0.merges.0: traits: expected identifiers of at least two"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "message"), REFUSALS)
async def test_a_refused_seed_says_where_and_leaves_nothing(
    client: httpx.AsyncClient, members: dict[str, Any], message: str
) -> None:
    answer = await client.post("/testing/seed", json={"stores": [_store(**members)]})
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["message"]
    assert "ann@example.com" not in answer.text
    assert await _stores(client) == [STORE_ID]
    corrected = {"stores": [_store(profiles=[{"id": FIRST_ID, **ANN}])]}
    assert (await client.post("/testing/seed", json=corrected)).status_code == 201
    assert await look_up(client, SEEDED_ID, "email", "ann@example.com") == [FIRST_ID]


def test_a_refused_file_is_named_with_the_place_in_it(tmp_path: Path) -> None:
    (tmp_path / "seed.yaml").write_text("stores:\n  - displayName: [a]\n")
    with pytest.raises(OperatorError, match=r"seed.yaml: stores.0.displayName: Input should be a valid string"):
        load_seed(tmp_path / "seed.yaml")
    with pytest.raises(OperatorError, match=r"nothing.yaml: No such file or directory"):
        load_seed(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"stores:\n  - displayName: secret: value\n", "expected YAML; it is malformed in line 2"),
        (b"stores: [\n", "expected YAML; it is malformed in line 2"),
        (b"\xff\xfe\xff", "expected YAML; it is malformed"),
        (b"stores: !!python/object:os.system {}\n", "expected YAML; it is malformed in line 1"),
        (b"", "seed: Input should be a valid dictionary"),
    ],
)
def test_malformed_yaml_is_refused_with_its_line_and_without_its_text(content: bytes, message: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        parse_seed(content, is_json=False)
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("scalar", "value"),
    [("+13175556789", "+13175556789"), ("no", "no"), ("2026-01-15", "2026-01-15"), ("007", "007"), ("1_000", "1_000"),
     ("12:30", "12:30"), ("true", True), ("-12", -12), ("1.5e3", 1500.0), ("null", None), ("0x1f", "0x1f")],
)  # fmt: skip
def test_plain_yaml_means_what_it_means_in_json(scalar: str, value: object) -> None:
    seed = parse_seed(
        f"stores: [{{displayName: a, profiles: [{{traits: {{Contact: {{x: {scalar}}}}}}}]}}]".encode(), is_json=False
    )
    assert seed.stores[0].profiles[0].traits == {"Contact": {"x": value}}


async def test_a_seeded_store_can_be_used_like_any_other(client: httpx.AsyncClient) -> None:
    assert (await client.post("/testing/seed", json={"stores": [_store()]})).status_code == 201
    profile_id = await make_profile(client, SEEDED_ID, phone="+13175556789")
    assert await look_up(client, SEEDED_ID, "phone", "+13175556789") == [profile_id]


def _store(**members: Any) -> dict[str, Any]:
    return {"id": SEEDED_ID, "displayName": "customers"} | members


async def _stores(client: httpx.AsyncClient) -> list[str]:
    stores: list[str] = (await client.get("/v1/ControlPlane/Stores")).json()["stores"]
    return stores
