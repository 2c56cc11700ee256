"""Twilio Agent Connect resolves callers here. Only the base URL of its `MemoryClient` is changed.

Its conversations are not part of this service, so the client of its Conversation Orchestrator sends nothing.
"""

import asyncio

import httpx
import pytest
from tac import TAC, TACConfig
from tac.channels.sms import SMSChannel
from tac.context.conversation import ConversationClient
from tac.context.memory import MemoryClient
from tac.core.config import TwilioMemoryConfig
from tac.models.conversation import ParticipantAddress, ParticipantResponse
from tac.models.session import AuthorInfo, ConversationSession
from twilio.rest.memory.v1 import V1

from tests.sdk.conftest import identifiers_of, make_alias, make_profile

PHONE = "+13175556789"
WHATSAPP = f"whatsapp:{PHONE}"
GROUPS_OF_ITS_EXAMPLES = ["Contact", "Preferences"]  # of which a new store has only the first


@pytest.fixture
def memory_client(
    store_id: str, service_url: str, synchronous_account: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> MemoryClient:
    monkeypatch.setenv("TAC_ANALYTICS_DISABLED", "true")
    client = MemoryClient(store_id, *synchronous_account)
    client.base_url = service_url  # the one line that differs
    return client


@pytest.fixture
def agent(memory_client: MemoryClient) -> TAC:
    """The agent kit with a memory, and without conversations."""
    config = TACConfig(
        account_sid="AC0", auth_token="-", api_key="SK0", api_secret="-", phone_number="+13175550000",
        memory_config=TwilioMemoryConfig(trait_groups=GROUPS_OF_ITS_EXAMPLES),
    )  # fmt: skip
    kit = TAC(config)
    kit.conversation_memory_client = memory_client
    return kit


@pytest.fixture
def channel(agent: TAC) -> SMSChannel:
    agent.conversation_orchestrator_client = ConversationClient("SK0", "-", "conv_configuration_0")
    return SMSChannel(agent)


async def _resolve(channel: SMSChannel, address: str) -> str | None:
    """Return the profile that the agent kit finds or makes for whoever calls from this address."""
    caller = ParticipantResponse(
        id="p", conversation_id="c", account_id="a", name=address,
        addresses=[ParticipantAddress(channel="SMS", address=address)],
    )  # fmt: skip
    profile_id: str | None = await channel._resolve_customer_profile(caller, "SMS")
    return profile_id


async def _recognize(agent: TAC, address: str) -> ConversationSession:
    """Return the session of a conversation with this address, after the agent kit has looked for its profile."""
    session = ConversationSession(conversation_id="c", channel="WHATSAPP", author_info=AuthorInfo(address=address))
    await agent.retrieve_memory(session)
    return session


async def test_an_unknown_caller_gets_a_profile(channel: SMSChannel, memory: V1, store_id: str) -> None:
    profile_id = await _resolve(channel, PHONE)
    assert profile_id is not None
    assert identifiers_of(memory, store_id, profile_id) == {"phone": [PHONE]}


async def test_a_known_caller_is_found(channel: SMSChannel, memory: V1, store_id: str) -> None:
    profile_id = make_profile(memory, store_id, phone="(317) 555-6789", firstName="Alyssa")
    assert await _resolve(channel, PHONE) == profile_id
    assert memory.profiles(store_id).list() == [profile_id]


async def test_ten_first_calls_at_once_make_one_profile(channel: SMSChannel, memory: V1, store_id: str) -> None:
    resolved = await asyncio.gather(*(_resolve(channel, PHONE) for _ in range(10)))
    assert resolved == memory.profiles(store_id).list() * 10


async def test_a_whatsapp_caller_is_found_by_the_phone_number(agent: TAC, memory: V1, store_id: str) -> None:
    """The agent kit looks up `phone` for every address that is no e-mail address."""
    profile_id = make_profile(memory, store_id, phone=PHONE)
    assert (await _recognize(agent, WHATSAPP)).profile_id == profile_id


async def test_a_caller_who_is_not_found_has_no_profile(agent: TAC) -> None:
    assert (await _recognize(agent, WHATSAPP)).profile_id is None


async def test_a_known_caller_is_recognized_though_the_store_has_not_all_trait_groups_of_the_examples(
    agent: TAC, memory: V1, store_id: str
) -> None:
    make_profile(memory, store_id, phone=PHONE, firstName="Alyssa")
    session = await _recognize(agent, PHONE)
    assert session.profile is not None
    assert session.profile.traits == {"Contact": {"phone": PHONE, "firstName": "Alyssa"}}


async def test_the_old_id_of_a_merged_profile_is_followed(
    memory_client: MemoryClient, memory: V1, store_id: str
) -> None:
    """The agent kit is the only client that follows redirects: its HTTP client does."""
    alias, canonical = make_alias(memory, store_id)
    fetched = await memory_client.get_profile(alias)
    assert (fetched.id, fetched.traits["Contact"]["email"]) == (canonical, "a@example.com")


async def test_what_only_the_original_has_is_missing_and_the_agent_goes_on_without_it(
    agent: TAC, memory_client: MemoryClient, memory: V1, store_id: str
) -> None:
    profile_id = make_profile(memory, store_id, phone=PHONE)
    recalled = await memory_client.retrieve_memory(profile_id)
    assert (recalled.observations, recalled.summaries, recalled.communications) == ([], [], [])
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        await memory_client.create_observation(profile_id, "likes tea")
