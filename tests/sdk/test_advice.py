"""The advice in docs/clients.md, which many public programs lack."""

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest.memory.v1 import V1
from twilio.rest.memory.v1.lookup import LookupList

from tests.sdk.conftest import make_profile


def _look_up(memory: V1, store_id: str, id_type: str, value: str) -> list[str]:
    identifier = LookupList.Identifier({"idType": id_type, "value": value})
    profiles: list[str] = memory.lookup(store_id).create(identifier).profiles
    return profiles


def test_one_create_with_phone_and_whatsapp_is_found_by_both(memory: V1, store_id: str) -> None:
    caller = "whatsapp:+13175556789"
    only_phone = make_profile(memory, store_id, phone="+442079460958")
    both = make_profile(memory, store_id, phone="+13175556789", whatsapp=caller)
    assert _look_up(memory, store_id, "phone", caller) == _look_up(memory, store_id, "whatsapp", caller) == [both]
    assert _look_up(memory, store_id, "whatsapp", "whatsapp:+442079460958") == []
    assert _look_up(memory, store_id, "phone", "whatsapp:+442079460958") == [only_phone]


def test_a_list_of_candidates_goes_on_after_a_400(memory: V1, store_id: str) -> None:
    profile_id = make_profile(memory, store_id, email="a@example.com")
    for id_type, value in (("phone", "anonymous"), ("device", "d-1")):
        with pytest.raises(TwilioRestException) as raised:
            _look_up(memory, store_id, id_type, value)
        assert (raised.value.status, raised.value.code) == (400, 520046)
    assert _look_up(memory, store_id, "email", "A@example.com") == [profile_id]
