"""Connections to PostgreSQL itself have all settings that they name, and missing ones are named."""

import pytest

from profile_lookup.database import connections
from profile_lookup.database.connections import REQUEST_LIMITS, STEP_LIMITS, TimeLimits
from profile_lookup.database.session_settings import missing_settings


@pytest.mark.parametrize("limits", [REQUEST_LIMITS, STEP_LIMITS])
async def test_no_setting_is_missing_without_a_pooler(database_url: str, limits: TimeLimits) -> None:
    assert connections.server_settings(limits)["plan_cache_mode"] == "force_generic_plan"
    assert await missing_settings(database_url, limits) == []
