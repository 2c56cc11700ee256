"""A server is used as a standby only if it is one, of the same database, and on the primary's timeline."""

import pytest

from profile_lookup.database.hosts import urls_of_standbys
from profile_lookup.database.standbys.positions import CUT_OFF, HIDDEN, ServerState, Verdict, verdict_on
from profile_lookup.settings import SettingsError, load_settings

PRIMARY = ServerState(cluster=1, database=5, is_in_recovery=False, timeline=3, offset=100)
STANDBY = ServerState(cluster=1, database=5, is_in_recovery=True, timeline=3, offset=90)


@pytest.mark.parametrize(
    ("standby", "needed", "verdict"),
    [
        (STANDBY, 0, Verdict.USED),
        (STANDBY, 90, Verdict.USED),
        (STANDBY, 91, Verdict.LATE),
        (STANDBY._replace(cluster=2), 0, Verdict.FOREIGN),
        (STANDBY._replace(database=6), 0, Verdict.FOREIGN),
        (STANDBY._replace(is_in_recovery=False, timeline=4), 0, Verdict.PROMOTED),
        (PRIMARY, 0, Verdict.PROMOTED),
        (STANDBY._replace(timeline=4), 0, Verdict.OTHER_TIMELINE),
        (STANDBY._replace(timeline=2), 0, Verdict.OTHER_TIMELINE),
        (STANDBY._replace(timeline=CUT_OFF), 0, Verdict.CUT_OFF),
        (STANDBY._replace(timeline=HIDDEN), 0, Verdict.HIDDEN),
    ],
)
def test_verdict(standby: ServerState, needed: int, verdict: Verdict) -> None:
    assert verdict_on(PRIMARY, standby, needed) is verdict


def test_a_list_of_standbys_is_split_between_urls_alone() -> None:
    assert urls_of_standbys("postgresql://a:1/x, postgres://b/x?options=-c%20a=1,2") == [
        "postgresql://a:1/x",
        "postgres://b/x?options=-c%20a=1,2",
    ]


@pytest.mark.parametrize("urls", ["postgresql://a,b/x", "postgresql://a/x,mysql://b/x", "a"])
def test_a_list_that_does_not_name_one_host_in_each_url_is_refused(urls: str) -> None:
    with pytest.raises(SettingsError, match="READ_DATABASE_URLS"):
        load_settings(read_database_urls=urls)
