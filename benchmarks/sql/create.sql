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
    array['email', 'phone'], array['person.' || :i::text || '@example.com', '+' || :digits::text], null, '{{}}', '{{}}', '{{}}'
) \gset
with created as (
    insert into profile (store_id, id, created_at, traits)
    values ('{store_id}', :profile_id::uuid, clock_timestamp(), jsonb_build_object('Contact', jsonb_build_object(
        'email', jsonb_build_array('person.' || :i::text || '@example.com'),
        'phone', jsonb_build_array('+' || :digits::text),
        'firstName', jsonb_build_array('Ada'::text)
    )))
)
insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
select '{store_id}', put.id_type, put.value, :profile_id::uuid, '', clock_timestamp()
from unnest(
    array['email', 'phone'], array['person.' || :i::text || '@example.com', '+' || :digits::text]
) as put (id_type, value);
commit;
