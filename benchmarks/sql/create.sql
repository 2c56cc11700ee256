\set n :n + 1
\set i :first + :client_id * :block + :n
\set digits {digits}
begin;
select uuidv7() as profile_id, count(*) as found
from lock_and_gather(
    '{store_id}', 1, {store_key},
    array(
        select hashtextextended(value, 0)
        from unnest(array['person.' || :i::text || '@example.com', '+' || :digits::text]) as value
        order by 1
    ),
    array['email', 'phone'], array['person.' || :i::text || '@example.com', '+' || :digits::text], null, '{}', '{}', '{}'
) \gset
with created as (
    insert into profile (store_id, id, created_at) values ('{store_id}', :profile_id::uuid, clock_timestamp())
),
identified as (
    insert into identifier (store_id, id_type, value, profile_id, is_unique, added_at)
    select '{store_id}', put.id_type, put.value, :profile_id::uuid, true, clock_timestamp()
    from unnest(
        array['email', 'phone'], array['person.' || :i::text || '@example.com', '+' || :digits::text]
    ) as put (id_type, value)
)
insert into trait (store_id, profile_id, group_name, name, value, written_at)
select '{store_id}', :profile_id::uuid, 'Contact', put.name, to_jsonb(put.value), clock_timestamp()
from unnest(
    array['email', 'phone', 'firstName'],
    array['person.' || :i::text || '@example.com', '+' || :digits::text, 'Ada']
) as put (name, value);
commit;
