"""A database's URL may name several hosts, in both spellings of libpq."""

import pytest

from profile_lookup.database.hosts import url_of_each_host
from profile_lookup.settings import SettingsError, load_settings


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@a:1/d?x=y", ["postgresql://u:p@a:1/d?x=y"]),
        ("postgresql://u:p@a:1,b:2/d?x=y", ["postgresql://u:p@a:1/d?x=y", "postgresql://u:p@b:2/d?x=y"]),
        ("postgresql://a,[::1]:2/d", ["postgresql://a/d", "postgresql://[::1]:2/d"]),
        ("postgresql://%2Frun%2Fa,b/d", ["postgresql://%2Frun%2Fa/d", "postgresql://b/d"]),
        ("postgresql://u@/d?host=/run/a%20b&port=1", ["postgresql://u@/d?host=/run/a%20b&port=1"]),
        ("postgresql://u@/d?host=a,b", ["postgresql://u@/d?host=a", "postgresql://u@/d?host=b"]),
        ("postgresql://u@/d?host=a,b&port=1", ["postgresql://u@/d?host=a&port=1", "postgresql://u@/d?host=b&port=1"]),
        ("postgresql:///d?host=a,/b&port=1,2", ["postgresql:///d?host=a&port=1", "postgresql:///d?host=%2Fb&port=2"]),
        ("postgresql://u@/d?host=a:1,b:2", ["postgresql://u@/d?host=a%3A1", "postgresql://u@/d?host=b%3A2"]),
    ],
)
def test_each_host_has_a_url(url: str, expected: list[str]) -> None:
    assert url_of_each_host(url) == expected


@pytest.mark.parametrize("hosts", ["a:1,b:2", "a,b", "[::1]:1,b"])
def test_the_setting_accepts_several_hosts(hosts: str) -> None:
    url = f"postgresql://{hosts}/d"
    database_url = load_settings(database_url=url).database_url
    assert database_url is not None
    assert database_url.get_secret_value() == url


@pytest.mark.parametrize("rest", ["a:1,b:x/d", "a:1,b:0/d", "/d?host=a,b&port=1,2,3"])
def test_the_setting_refuses_what_names_no_hosts(rest: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        load_settings(database_url=f"postgresql://{rest}")
