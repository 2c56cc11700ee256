"""The conditions by which statements verify a caller. Every statement that verifies one is made of them.

Revocation, expiry and the end of a former secret count at once, because the statement that does the work of a lookup,
or that admits a caller, checks them itself.
"""

USABLE = "credential.is_enabled and (credential.expires_at is null or credential.expires_at > now())"
"""The account is not disabled, and the key has not expired."""

MAY_USE_STORE = "(credential.store_ids is null or store.id = any (credential.store_ids))"
"""The key is for the store."""

MAY_LOOK_UP = "'lookup' = any (credential.scopes)"


def verified(sid: str, secret_sha256: str) -> str:
    """Return the condition that these credentials are right and usable; the arguments are SQL expressions."""
    return f"""
        credential.sid = {sid}
        and (
            credential.secret_sha256 = {secret_sha256}
            or (credential.former_sha256 = {secret_sha256} and credential.former_until > now())
        )
        and {USABLE}
    """
