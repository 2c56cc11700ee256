"""Who may use the console, and until when."""

from tests.console.browser import Console


def test_signing_in_leads_to_the_only_store_and_signing_out_ends_the_session(console: Console) -> None:
    assert console.path == f"stores/{console.store_id}"
    assert "customers" in console.text
    assert console.violations() == []
    console.press("Sign out")
    assert console.path == "sign-in"
    console.open()
    assert console.path == "sign-in"
    assert console.violations() == []


def test_a_wrong_secret_is_refused(console: Console) -> None:
    console.sign_in(console.account[0], "wrong")
    assert "do not belong together" in console.text
    assert console.violations() == []
