"""The examples for nginx and Caddy: TLS, sizes, forwarded headers, and what they do when a process is gone."""

import httpx

from tests.deploy.conftest import Proxy

SPOOFED = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "192.0.2.1"}
JSON = {"Content-Type": "application/json"}
MIB = 1 << 20


def test_addresses_in_answers_are_those_by_which_clients_reach_the_proxy(proxy: Proxy) -> None:
    with proxy.client() as client:
        made = client.post("/v1/ControlPlane/Stores", json={"displayName": "customers"}, headers=SPOOFED)
    assert made.status_code == 202
    assert made.json()["statusUrl"].startswith(f"{proxy.url}/v1/ControlPlane/Operations/")
    assert made.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_no_request_fails_although_one_of_two_processes_is_gone(proxy: Proxy) -> None:
    with proxy.client() as client:
        answers = [client.post("/v1/ControlPlane/Stores", json={"displayName": f"s{each}"}) for each in range(10)]
    assert {answer.status_code for answer in answers} == {202}


def test_clients_cannot_choose_the_address_by_which_wrong_credentials_are_limited(proxy: Proxy) -> None:
    statuses = set()
    with proxy.client() as client:
        for number in range(30):
            wrong = client.get(
                "/v1/ControlPlane/Stores",
                auth=("AC" + "0" * 32, "wrong"),
                headers={"X-Forwarded-For": f"192.0.2.{number}"},
            )
            statuses.add(wrong.status_code)
    assert statuses == {401, 429}


def test_bodies_that_the_service_accepts_pass_and_larger_ones_are_refused_in_its_form(proxy: Proxy) -> None:
    store = "mem_store_01m87q3yxqe39r14vj6cgq8eb8"
    with proxy.client() as client:
        batch = client.put(f"/v1/Stores/{store}/Profiles/Bulk", content=b"x" * (16 * MIB + 1), headers=JSON)
        upload = client.put("/v1/Uploads/wrong", content=b"x" * (20 * MIB))
    assert (batch.status_code, upload.status_code) == (404, 403)
    assert "code" in batch.json()
    assert "code" in upload.json()


def test_neither_a_query_nor_the_address_of_an_upload_is_logged(proxy: Proxy) -> None:
    path = "/v1/Stores/mem_store_01m87q3yxqe39r14vj6cgq8eb8/Profiles/mem_profile_01m87q3z23e8mrkztbr2pvp9rq/Identifiers"
    with proxy.client() as client:
        assert client.delete(f"{path}/phone", params={"value": "+14155550100"}).status_code == 404
        assert client.put("/v1/Uploads/aSecretToken", content=b"x").status_code == 403
    logged = "".join(file.read_text() for file in proxy.directory.glob("*.log"))
    assert "4155550100" not in logged
    assert "aSecretToken" not in logged


def test_clients_of_the_proxy_cannot_read_metrics(proxy: Proxy) -> None:
    with proxy.client() as client:
        hidden = client.get("/metrics")
    assert hidden.status_code == 404
    assert "python" not in hidden.text


def test_plain_http_is_answered_with_an_error_of_the_proxy(proxy: Proxy) -> None:
    answer = httpx.get(proxy.url.replace("https", "http"))
    assert answer.status_code == 400
