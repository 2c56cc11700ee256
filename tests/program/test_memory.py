"""What a client sends does not stay in memory: neither a refused body, nor the rules before each of many changes."""

import pytest

from tests.program.conftest import MIB, Service

GROUPS, TRAITS, TEXT = 50, 95, "x" * 900


@pytest.mark.parametrize(
    "caller", ["a stranger", *(pytest.param(each, marks=pytest.mark.slow) for each in ("nobody", "an admitted caller"))]
)
def test_sixteen_mebibytes_of_empty_objects_are_refused_without_being_parsed_or_kept(
    service: Service, caller: str
) -> None:
    body = b"[" + b"{}," * (16 * MIB // 3 - 1) + b"{}]"
    credentials = {"nobody": None, "a stranger": ("AC00", "wrong"), "an admitted caller": service.credentials}[caller]
    path = f"{service.profiles}/Bulk"
    with service.client(credentials) as client, service.growing_less_than(20 * MIB):
        for _ in range(2):
            answer = client.put(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == (413 if caller == "an admitted caller" else 401)


@pytest.mark.slow
def test_changes_of_a_large_trait_group_leave_nothing_of_the_rules_before(service: Service) -> None:
    groups = f"/v1/ControlPlane/Stores/{service.store_id}/TraitGroups"
    traits = {f"trait{number}": {"dataType": "STRING", "description": TEXT} for number in range(TRAITS)}

    def change(count: int) -> None:
        for number in range(count):
            changed = client.patch(f"{groups}/Group0", json={"description": f"change {number}"})
            assert changed.status_code == 202, changed.text

    with service.client(service.credentials) as client:
        for number in range(GROUPS - 1):
            created = client.post(groups, json={"displayName": f"Group{number}", "traits": traits})
            assert created.status_code == 202, created.text
        change(2)
        with service.growing_less_than(40 * MIB):
            change(60)
