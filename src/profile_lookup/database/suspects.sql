-- Keeps the suspects up to date that the counted names of identifiers make: see docs/decisions/0045-suspects.md. A
-- migration puts this in force, with a copy of its own. tests/database/test_migrations.py compares this file with what a
-- migrated database has.

-- Most identifiers have no counted names, so the triggers call this function seldom. It runs once per inserted or deleted
-- identifier, and per updated one that loses its names, when the whole statement is done. It compares with what is stored
-- then.
create function count_names()
returns trigger
language plpgsql
as $$
declare
    changed identifier;
begin
    -- A value with at least two names makes both suspects, so that one statement does everything. A value may have
    -- 1,000 names, and many values of a profile may change at once.
    if tg_op <> 'DELETE' and cardinality(new.names) >= 2 then
        insert into suspect (store_id, profile_id, reason, id_type, value_hash, severity)
        select
            new.store_id, new.profile_id, 'sharedValue', new.id_type, hashtextextended(new.value, 0),
            cardinality(new.names)
        union all
        select new.store_id, new.profile_id, 'namesDisagree', '', 0, (
            select count(distinct counted.name)
            from identifier i cross join lateral unnest(i.names[1 : 100]) as counted (name)
            where i.store_id is not distinct from new.store_id and i.profile_id = new.profile_id
        )
        on conflict on constraint suspect_pkey do update set severity = excluded.severity
        where suspect.severity <> excluded.severity;
        return null;
    end if;

    changed := case when tg_op = 'DELETE' then old else new end;
    if not exists (select from profile p where p.store_id = changed.store_id and p.id = changed.profile_id) then
        delete from suspect s where s.store_id = changed.store_id and s.profile_id = changed.profile_id;
        return null;  -- it was merged or erased
    end if;
    delete from suspect s
    where s.store_id = changed.store_id and s.profile_id = changed.profile_id and s.reason = 'sharedValue'
        and s.id_type = changed.id_type and s.value_hash = hashtextextended(changed.value, 0)
        and not exists (
            select from identifier i
            where i.store_id is not distinct from changed.store_id and i.profile_id = changed.profile_id
                and i.id_type = changed.id_type and i.value = changed.value and cardinality(i.names) >= 2
        );
    update suspect s
    set severity = (
        select count(distinct counted.name)
        from identifier i cross join lateral unnest(i.names[1 : 100]) as counted (name)
        where i.store_id is not distinct from changed.store_id and i.profile_id = changed.profile_id
    )
    where s.store_id = changed.store_id and s.profile_id = changed.profile_id and s.reason = 'namesDisagree';
    delete from suspect s
    where s.store_id = changed.store_id and s.profile_id = changed.profile_id and s.reason = 'namesDisagree'
        and s.severity < 2;
    return null;
end
$$;

create trigger identifier_with_names_is_inserted
after insert on identifier
for each row
when (new.names is not null)
execute function count_names();

create trigger identifier_loses_names
after update of names on identifier
for each row
when (new.names is distinct from old.names and coalesce(cardinality(new.names), 0) < 2)
execute function count_names();

create trigger identifier_with_names_is_deleted
after delete on identifier
for each row
when (old.names is not null)
execute function count_names();

-- A value usually gets its names by an update, and a statement may update those of hundreds of people, so this function
-- runs once per statement. A hash stands for at most one suspect, even if several values had the same: a statement may
-- not insert a suspect twice.
create function count_updated_names()
returns trigger
language plpgsql
as $$
begin
    if not exists (select from updated u where cardinality(u.names) >= 2) then
        return null;
    end if;
    insert into suspect (store_id, profile_id, reason, id_type, value_hash, severity)
    select
        u.store_id, u.profile_id, 'sharedValue', u.id_type, hashtextextended(u.value, 0), max(cardinality(u.names))
    from updated u
    where cardinality(u.names) >= 2
    group by u.store_id, u.profile_id, u.id_type, hashtextextended(u.value, 0)
    union all
    select changed.store_id, changed.profile_id, 'namesDisagree', '', 0, (
        select count(distinct counted.name)
        from identifier i cross join lateral unnest(i.names[1 : 100]) as counted (name)
        where i.store_id is not distinct from changed.store_id and i.profile_id = changed.profile_id
    )
    from (select distinct u.store_id, u.profile_id from updated u where cardinality(u.names) >= 2) changed
    on conflict on constraint suspect_pkey do update set severity = excluded.severity
    where suspect.severity <> excluded.severity;
    return null;
end
$$;

create trigger identifiers_get_other_names
after update on identifier
referencing new table as updated
for each statement
execute function count_updated_names();
