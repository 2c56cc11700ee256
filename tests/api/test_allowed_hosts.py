"""Requests may name only the hosts of `ALLOWED_HOSTS`, if it is set."""

from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest

from profile_lookup.settings import Settings, SettingsError, load_settings
from tests.conftest import PATIENCE

LOOKUP = "/v1/Stores/mem_store_01h00000000000000000000001/Profiles/Lookup"
STORES = "/v1/ControlPlane/Stores"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    allowed = load_settings(allowed_hosts="ID.example.com, *.example.org,[::1]").allowed_hosts
    return settings.model_copy(update={"allowed_hosts": allowed})


@pytest.mark.parametrize(
    "host",
    ["id.example.com", "id.example.com:8000", "ID.Example.Com", "a.example.org", "a.b.example.org:1", "[::1]:8000"],
)
async def test_a_request_for_an_allowed_host_is_served(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get(STORES, headers={"Host": host})).status_code == 200
    assert (await client.post(LOOKUP, headers={"Host": host}, json={})).json()["code"] == 520041


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "other.id.example.com",
        "id.example.com.evil.test",
        "example.org",
        "badexample.org",
        "[::2]",
        "[",
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", STORES), ("POST", LOOKUP), ("GET", "/docs"), ("GET", "/nowhere")])
async def test_a_request_for_another_host_is_refused_and_no_address_leads_there(
    client: httpx.AsyncClient, host: str, method: str, path: str
) -> None:
    answer = await client.request(method, path, headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json() == {
        "code": 520046,
        "message": "Host: expected a host of this service",
        "more_info": "/docs/errors/520046",
        "status": 400,
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_checks_may_name_any_host(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers={"Host": "10.0.0.7:8000"})).status_code == 200


def test_the_long_body_of_a_refused_request_is_not_waited_for(service_url: str) -> None:
    with closing(HTTPConnection(urlsplit(service_url).netloc, timeout=PATIENCE)) as connection:
        connection.putrequest("PUT", "/v1/Uploads/x", skip_host=True)
        connection.putheader("Host", "other.test")
        connection.putheader("Content-Length", str(1 << 30))
        connection.endheaders()
        answer = connection.getresponse()  # the body is still to come
        assert (answer.status, answer.getheader("Connection")) == (400, "close")


@pytest.mark.parametrize("hosts", ["", ",", "https://id.example.com", "id.example.com:8000", "a b", "*", "*.", "a,"])
def test_a_setting_that_is_no_list_of_hosts_is_refused(hosts: str) -> None:
    with pytest.raises(SettingsError, match=r"^PROFILE_LOOKUP_ALLOWED_HOSTS: "):
        load_settings(allowed_hosts=hosts)
