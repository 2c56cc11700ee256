"""The hosts that a database's URL names. It may name several, of which the service uses the one that accepts writes."""

import re
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

_COMMA_BEFORE_URL = re.compile(r",\s*(?=[a-z]+://)")


def url_of_each_host(database_url: str) -> list[str]:
    """Return one URL for each host, in their order. A URL of a single host is returned as it is.

    It accepts both spellings of libpq: `//user@a:5432,b:5433/name`, and `///name?host=a,b&port=5432,5433`. Raises
    `ValueError` if the numbers of hosts and ports differ.
    """
    parts = urlsplit(database_url)
    credentials, at, named = parts.netloc.rpartition("@")
    if named:
        return [parts._replace(netloc=f"{credentials}{at}{host}").geturl() for host in named.split(",")]
    query = dict(parse_qsl(parts.query))
    hosts, ports = query.get("host", "").split(","), query.get("port", "").split(",")
    if len(hosts) == 1:
        return [database_url]
    return [
        _without_empty(database_url.partition("?")[0], {**query, "host": host, "port": port})
        for host, port in zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=True)
    ]


def urls_of_standbys(urls: str) -> list[str]:
    """Return the URLs in a list that commas separate. A comma may also stand between the hosts of one URL."""
    return [url.strip() for url in _COMMA_BEFORE_URL.split(urls)]


def names_session_attributes(database_url: str) -> bool:
    """Return whether the URL names the kind of server to choose, such as `target_session_attrs=any`."""
    return "target_session_attrs" in dict(parse_qsl(urlsplit(database_url).query))


def _without_empty(address: str, query: dict[str, str]) -> str:
    return f"{address}?{urlencode({name: value for name, value in query.items() if value}, quote_via=quote)}"
