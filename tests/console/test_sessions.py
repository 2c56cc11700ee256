"""Sessions as they are written into cookies."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.clock import CLOCK, Clock
from profile_lookup.console.sessions import MAX_AGE, MAX_IDLE, Sessions

SECRETS = [b"former secret of the service", b"secret of the service"]
CREDENTIALS = Credentials("SK0", digest("a secret"))
SECOND = timedelta(seconds=1)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(SECRETS)


def test_a_session_is_read_from_its_cookie_and_fits_its_credentials_alone(sessions: Sessions) -> None:
    session = sessions.from_cookie(sessions.to_cookie(sessions.begin(CREDENTIALS)))
    assert session is not None
    others = [Credentials("SK0", digest("another secret")), CREDENTIALS]
    assert sessions.credentials_of(session, others) == CREDENTIALS
    assert sessions.credentials_of(session, others[:1]) is None


def test_a_cookie_and_a_token_are_valid_as_long_as_the_service_knows_the_secret_that_signed_them() -> None:
    former = Sessions(SECRETS[:1])
    session = former.begin(CREDENTIALS)
    cookie, token = former.to_cookie(session), former.form_token(session.id)
    both, later = Sessions(SECRETS), Sessions(SECRETS[1:])
    assert both.from_cookie(cookie) == session
    assert both.credentials_of(session, [CREDENTIALS]) == CREDENTIALS
    assert both.is_form_token(session.id, token)
    assert later.from_cookie(cookie) is None
    assert not later.is_form_token(session.id, token)


def test_a_token_is_of_one_session(sessions: Sessions) -> None:
    one, other = sessions.begin(CREDENTIALS), sessions.begin(CREDENTIALS)
    assert sessions.is_form_token(one.id, sessions.form_token(one.id))
    assert not sessions.is_form_token(other.id, sessions.form_token(one.id))


@pytest.mark.parametrize("cookie", [None, "", "nonsense", "é"])
def test_what_is_no_cookie_is_no_session(sessions: Sessions, cookie: str | None) -> None:
    assert sessions.from_cookie(cookie) is None


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The clock, which a test may move; afterwards it shows the real time again."""
    yield CLOCK
    CLOCK.moved_by = timedelta()


def test_a_session_ends_when_it_was_idle_for_too_long(sessions: Sessions, clock: Clock) -> None:
    cookie = sessions.to_cookie(sessions.begin(CREDENTIALS))
    clock.moved_by = MAX_IDLE - 5 * SECOND
    assert sessions.from_cookie(cookie) is not None
    clock.moved_by = MAX_IDLE + 5 * SECOND
    assert sessions.from_cookie(cookie) is None


def test_a_session_that_is_used_all_the_time_ends_after_its_longest_time(sessions: Sessions, clock: Clock) -> None:
    session = sessions.begin(CREDENTIALS)
    clock.moved_by = MAX_AGE - 5 * SECOND
    assert sessions.from_cookie(sessions.to_cookie(session)) is not None
    clock.moved_by = MAX_AGE + 5 * SECOND
    assert sessions.from_cookie(sessions.to_cookie(session)) is None
