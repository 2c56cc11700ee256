"""Pages are made of the templates in `templates/`, which escape every value."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from profile_lookup.console.people import name_of, shown_value
from profile_lookup.web import ids

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


def _shown_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")


def _machine_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _sentence(text: str) -> str:
    """Return the text with a full stop at its end."""
    return text if text.endswith(".") else f"{text}."


_TEMPLATES = Environment(
    loader=PackageLoader("profile_lookup.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_TEMPLATES.filters |= {
    "shown_time": _shown_time,
    "machine_time": _machine_time,
    "sentence": _sentence,
    "shown_value": shown_value,
    "person_name": name_of,
    "store_id": ids.store_id,
    "profile_id": ids.profile_id,
    "event_id": ids.event_id,
    "operation_id": ids.operation_id,
}
_TEMPLATES.globals["version"] = version("profile-lookup")


def html_page(template: str, status: int, values: Mapping[str, Any]) -> HTMLResponse:
    """Return the answer that a template makes of these values."""
    return HTMLResponse(_TEMPLATES.get_template(template).render(values), status, _HEADERS)


def root_of(path: str) -> str:
    """Return the relative address of the service's root from this path: a proxy may serve it below some other path."""
    return "../" * (path.count("/") - 1)
