-- Makes the turn of a sequence whose operation enters the queue: see operations/queue.py and
-- docs/decisions/0031-turns-of-sequences.md. A migration puts this in force, with a copy of its own.
-- tests/database/test_migrations.py compares this file with what a migrated database has.

-- The trigger is deferred, so that others who enqueue in this sequence wait for the commit alone.
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
$$;

create constraint trigger operation_enters_queue
after insert or update of waits_until on operation
deferrable initially deferred
for each row
when (new.completed_at is null and new.waits_until is null)
execute function make_turn();
