"""A change of settings says which stored identifiers have to be rewritten."""

from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.identity.rules import DEFAULT_SETTINGS, IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.settings_changes.settings_change import SettingsChange

ID_TYPES = ("email", "phone", "chat", "crm")


def configured(*configs: IdentifierConfig) -> IdentityResolutionSettings:
    return IdentityResolutionSettings(configs, (configs[0].id_type,))


@st.composite
def documents(draw: st.DrawFn) -> IdentityResolutionSettings:
    id_types = draw(st.lists(st.sampled_from(ID_TYPES), min_size=1, unique=True))
    configs = [
        IdentifierConfig(
            id_type,
            matching_algo=draw(st.sampled_from(["exact", "fuzzy"])),
            limit=draw(st.integers(1, 2)),
            enforce_unique=draw(st.booleans()),
            normalization=draw(st.sampled_from(["trim", "email", "none"])),
        )
        for id_type in id_types
    ]
    return configured(*configs)


def test_the_same_settings_change_nothing() -> None:
    change = SettingsChange(DEFAULT_SETTINGS, DEFAULT_SETTINGS)
    assert [change.removed, change.renormalized, change.made_unique, change.remarked, change.rewritten] == [[]] * 5


def test_a_type_that_is_left_out_is_removed() -> None:
    change = SettingsChange(DEFAULT_SETTINGS, configured(IdentifierConfig("chat"), IdentifierConfig("crm")))
    assert change.removed == ["email", "whatsapp", "phone", "pushUserID"]
    assert change.rewritten == []


def test_a_new_type_rewrites_nothing() -> None:
    before = configured(IdentifierConfig("chat"))
    after = configured(IdentifierConfig("chat"), IdentifierConfig("crm", normalization="email", enforce_unique=False))
    assert SettingsChange(before, after).rewritten == []


def test_another_normalization_rewrites_the_stored_identifiers() -> None:
    before, after = (configured(IdentifierConfig("chat", normalization=each)) for each in ("trim", "email"))
    change = SettingsChange(before, after)
    assert (change.renormalized, change.made_unique, change.remarked) == (["chat"], [], [])
    assert change.rewritten == ["chat"]


def test_only_a_type_that_was_not_unique_is_made_unique() -> None:
    shared, unique = (configured(IdentifierConfig("chat", enforce_unique=each)) for each in (False, True))
    assert SettingsChange(shared, unique).made_unique == ["chat"]
    assert SettingsChange(unique, shared).made_unique == []
    assert SettingsChange(unique, shared).remarked == SettingsChange(shared, unique).remarked == ["chat"]


def test_another_algorithm_rewrites_but_another_threshold_or_limit_does_not() -> None:
    exact, fuzzy = IdentifierConfig("chat"), IdentifierConfig("chat", matching_algo="fuzzy")
    assert SettingsChange(configured(exact), configured(fuzzy)).remarked == ["chat"]
    other = IdentifierConfig("chat", matching_threshold=50, limit=1, limit_policy="lifo")
    assert SettingsChange(configured(exact), configured(other)).rewritten == []


@given(documents(), documents())
def test_only_types_configured_before_and_after_are_rewritten(
    before: IdentityResolutionSettings, after: IdentityResolutionSettings
) -> None:
    change = SettingsChange(before, after)
    kept = set(before.id_types) & set(after.id_types)
    assert set(change.removed) == set(before.id_types) - kept
    assert set(change.rewritten) == set(change.renormalized) | set(change.remarked)
    assert set(change.made_unique) <= set(change.remarked) <= kept
    assert len(change.rewritten) == len(set(change.rewritten))


@given(documents(), documents())
def test_the_reverse_change_rewrites_the_same_types(
    before: IdentityResolutionSettings, after: IdentityResolutionSettings
) -> None:
    there, back = SettingsChange(before, after), SettingsChange(after, before)
    assert set(there.rewritten) == set(back.rewritten)
    assert not set(there.made_unique) & set(back.made_unique)
