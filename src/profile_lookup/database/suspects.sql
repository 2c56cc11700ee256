-- Keeps the suspects up to date that the counted names of identifiers make: see docs/decisions/0045-suspects.md. A
-- migration puts this in force, with a copy of its own. tests/database/test_migrations.py compares this file with what a
-- migrated database has.

-- Most identifiers have no counted names, so the triggers call this function seldom. It runs once per changed identifier,
-- when the whole statement is done, and compares with what is stored then.
create function count_names()
returns trigger
language plpgsql
as $$
declare
    changed identifier := case when tg_op = 'DELETE' then old else new end;
    names_of_value integer;
    names_of_profile integer;
begin
    if not exists (select from profile p where p.store_id = changed.store_id and p.id = changed.profile_id) then
        return null;  -- it was merged or erased, and its suspects are deleted with it
    end if;

    select max(cardinality(i.names)) into names_of_value
    from identifier i
    where i.store_id is not distinct from changed.store_id and i.profile_id = changed.profile_id
        and i.id_type = changed.id_type and i.value = changed.value;
    perform put_suspect(
        changed.store_id, changed.profile_id, 'sharedValue', changed.id_type, hashtextextended(changed.value, 0),
        names_of_value
    );

    -- A value may have 1,000 names, and many values of a profile may change at once.
    select count(distinct counted.name) into names_of_profile
    from identifier i cross join lateral unnest(i.names[1 : 100]) as counted (name)
    where i.store_id is not distinct from changed.store_id and i.profile_id = changed.profile_id;
    perform put_suspect(changed.store_id, changed.profile_id, 'namesDisagree', '', 0, names_of_profile);
    return null;
end
$$;

-- Replaces the severity of a suspect, or deletes the suspect if there are fewer than two names.
create function put_suspect(
    in_store uuid, of_profile uuid, for_reason text, of_type text, of_value bigint, new_severity integer
)
returns void
language plpgsql
as $$
begin
    if coalesce(new_severity, 0) < 2 then
        delete from suspect s
        where s.store_id = in_store and s.profile_id = of_profile and s.reason = for_reason and s.id_type = of_type
            and s.value_hash = of_value;
        return;
    end if;
    insert into suspect (store_id, profile_id, reason, id_type, value_hash, severity)
    values (in_store, of_profile, for_reason, of_type, of_value, new_severity)
    on conflict on constraint suspect_pkey do update set severity = excluded.severity
    where suspect.severity <> excluded.severity;
end
$$;

create trigger identifier_with_names_is_inserted
after insert on identifier
for each row
when (new.names is not null)
execute function count_names();

create trigger identifier_gets_other_names
after update of names on identifier
for each row
when (new.names is distinct from old.names)
execute function count_names();

create trigger identifier_with_names_is_deleted
after delete on identifier
for each row
when (old.names is not null)
execute function count_names();
