"""API keys with scopes, stores and an end; tokens and signing keys that rotate; accounts that are disabled.

docs/decisions/0036-access.md explains them. Processes of the version before go on with the columns that they know. They
allow a key with new scopes nothing but lookups, but they know neither its stores nor its end: make such keys when all
processes are of this version. The same holds for a second signing key.
"""

from alembic import op

revision = "2026_11_28_access"
down_revision = "2026_11_28_rate_limits"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        alter table account
            add column is_enabled boolean not null default true,
            add column deleted_at timestamptz,
            add constraint account_id_is_enabled_key unique (id, is_enabled)
    """)
    op.execute("""
        alter table credential
            add column store_ids uuid[],
            add column expires_at timestamptz,
            add column last_used_at timestamptz,
            add column former_sha256 bytea,
            add column former_until timestamptz,
            add column version bigint not null default 1,
            add column is_enabled boolean not null default true,
            drop constraint credential_account_id_fkey,
            add constraint credential_account_id_is_enabled_fkey
                foreign key (account_id, is_enabled) references account (id, is_enabled) on update cascade,
            drop constraint credential_scope_check,
            add constraint credential_scope_check check
                (scope ~ '^(full|(lookup|read|write|manage)( (lookup|read|write|manage))*)$'),
            add constraint credential_store_ids_check check (store_ids <> '{}'),
            add column scopes text[] not null generated always as (
                case scope when 'full' then array['lookup', 'read', 'write', 'manage']
                else string_to_array(scope, ' ') end
            ) stored
    """)
    op.execute("""
        alter table signing_key
            drop constraint signing_key_single_check,
            add column signs_from timestamptz not null default now()
    """)


def downgrade() -> None:
    op.execute("delete from signing_key where id <> (select max(id) from signing_key)")
    op.execute("update signing_key set id = 1")
    op.execute("alter table signing_key drop column signs_from, add constraint signing_key_single_check check (id = 1)")
    # The version before would allow these keys more than they may do.
    op.execute("""
        delete from credential
        where scope not in ('lookup', 'full') or store_ids is not null or expires_at is not null or not is_enabled
    """)
    op.execute("""
        alter table credential
            drop column scopes,
            drop constraint credential_store_ids_check,
            drop constraint credential_scope_check,
            add constraint credential_scope_check check (scope in ('lookup', 'full')),
            drop constraint credential_account_id_is_enabled_fkey,
            add constraint credential_account_id_fkey foreign key (account_id) references account (id),
            drop column is_enabled,
            drop column version,
            drop column former_until,
            drop column former_sha256,
            drop column last_used_at,
            drop column expires_at,
            drop column store_ids
    """)
    op.execute("""
        alter table account drop constraint account_id_is_enabled_key, drop column deleted_at, drop column is_enabled
    """)
