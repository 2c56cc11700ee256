"""Each store keeps which version normalizes its values anew, until a process of an older version writes to it.

Processes of release 0.1 call `lock_and_gather` without shared identifiers, by which they are recognized.
"""

from alembic import op

revision = "2026_11_28_versions_side_by_side"
down_revision = "2026_11_28_import_notices"
branch_labels = None
depends_on = None
phase = "expand"

LOCK_AND_GATHER_OF_RELEASE_0_1 = """
create function lock_and_gather(
    in_store uuid,
    in_revision bigint,
    store_key bigint,
    lock_keys bigint[],
    match_types text[],
    match_values text[],
    known uuid
)
returns table (
    profile_id uuid,
    is_locked boolean,
    identifier_types text[],
    identifier_values text[],
    identifier_times timestamptz[],
    trait_groups text[],
    trait_names text[],
    trait_values jsonb[],
    trait_times timestamptz[]
)
language plpgsql volatile
as $$
begin
    -- What it writes has its own form, so it takes a store back that a newer version has normalized, or normalizes now.
    if match_types <> '{}' then
        perform pg_advisory_xact_lock_shared(store_key);
        update store s
        set normalization = default, renormalized_by = null, revision = s.revision + 1
        where s.id = in_store and (s.normalization ->> 'rules' <> '1' or s.renormalized_by is not null);
        if found then
            in_revision := in_revision + 1;
        end if;
    end if;
    return query select * from lock_and_gather(
        in_store, in_revision, store_key, lock_keys, match_types, match_values, known, '{}', '{}', '{}'
    );
end
$$
"""


def upgrade() -> None:
    op.execute("alter table store add column renormalized_by jsonb")
    # Without defaults, so that a call without shared identifiers is not ambiguous.
    op.execute("drop function lock_and_gather")
    op.execute(_lock_and_gather().replace(" default '{}'", ""))
    op.execute(LOCK_AND_GATHER_OF_RELEASE_0_1)


def downgrade() -> None:
    op.execute("drop function lock_and_gather(uuid, bigint, bigint, bigint[], text[], text[], uuid)")
    op.execute("drop function lock_and_gather")
    op.execute(_lock_and_gather())
    op.execute("alter table store drop column renormalized_by")


def _lock_and_gather() -> str:
    environment = op.get_context().environment_context
    assert environment is not None
    definition: str = environment.script.get_revision("2026_11_28_weak_matches").module.LOCK_AND_GATHER
    return definition
