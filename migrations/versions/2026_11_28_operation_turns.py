"""A queue whose next operation costs the same however many wait: turns of sequences.

docs/decisions/0031-turns-of-sequences.md explains them. This migration expands: workers of the version before go on
with the columns that they know.
"""

from alembic import op

revision = "2026_11_28_operation_turns"
down_revision = "2026_11_28_large_writes"
branch_labels = None
depends_on = None
phase = "expand"

MAKE_TURN = """
create function make_turn()
returns trigger
language plpgsql
as $$
begin
    insert into operation_turn (store_id, sequence, ready_at)
    values (new.store_id, new.sequence, clock_timestamp())
    on conflict (store_id, sequence) do update set ready_at = excluded.ready_at
    where operation_turn.ready_at > excluded.ready_at;  -- the row is locked in any case
    return null;
end
$$
"""

TRIGGER = """
create constraint trigger operation_enters_queue
after insert or update of waits_until on operation
deferrable initially deferred
for each row
when (new.completed_at is null and new.waits_until is null)
execute function make_turn()
"""


def upgrade() -> None:
    op.execute("""
        alter table operation
            add column sequence text not null default '',
            add column waits_until timestamptz,
            add column ready_at timestamptz not null default clock_timestamp()
    """)
    op.execute("""
        update operation set sequence = kind
        where completed_at is null and kind in ('UPDATE_PROFILES_BULK', 'IMPORT_PROFILES', 'RENORMALIZE_VALUES')
    """)
    op.execute("""
        update operation set waits_until = leased_until, leased_until = null
        where completed_at is null and kind = 'IMPORT_PROFILES' and status = 'PENDING' and attempts = 0
            and leased_until > clock_timestamp()
    """)
    op.execute("drop index operation_unfinished_idx")
    op.execute("""
        create index operation_queued_idx on operation (store_id, sequence, status, id)
        where completed_at is null and waits_until is null
    """)
    op.execute("""
        create index operation_waiting_idx on operation (waits_until)
        where completed_at is null and waits_until is not null
    """)
    op.execute("""
        create index operation_of_store_waiting_idx on operation (store_id)
        where completed_at is null and waits_until is not null
    """)
    op.execute("""
        create table operation_turn (
            store_id uuid,
            sequence text,
            ready_at timestamptz not null,
            primary key (store_id, sequence)
        )
    """)
    op.execute("create index operation_turn_sequence_ready_at_idx on operation_turn (sequence, ready_at)")
    op.execute("""
        insert into operation_turn
        select store_id, sequence, clock_timestamp() from operation
        where completed_at is null and waits_until is null
        group by store_id, sequence
    """)
    op.execute(MAKE_TURN)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("drop trigger operation_enters_queue on operation")
    op.execute("drop function make_turn")
    op.execute("drop table operation_turn")
    op.execute("update operation set leased_until = waits_until where completed_at is null and waits_until is not null")
    op.execute("alter table operation drop column sequence, drop column waits_until, drop column ready_at")
    op.execute("create index operation_unfinished_idx on operation (id) where completed_at is null")
