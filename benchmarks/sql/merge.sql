\set n :n + 1
\set i :first + :client_id * :block + :n
\set digits {digits}
begin;
select min(profile_id::text) as profile_id, max(profile_id::text) as absorbed
from lock_and_gather(
    '{store_id}', 1, {store_key},
    array(
        select hashtextextended(value, 0)
        from unnest(array['person.' || :i::text || '@example.com', '+' || :digits::text]) as value
        order by 1
    ),
    array['email', 'phone'], array['person.' || :i::text || '@example.com', '+' || :digits::text], null, '{{}}', '{{}}', '{{}}'
) \gset
with gone as (
    delete from identifier where store_id = '{store_id}' and profile_id = :absorbed::uuid
    returning id_type, value, shared_by, added_at
),
identified as (
    insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
    select '{store_id}', gone.id_type, gone.value, :profile_id::uuid, gone.shared_by, gone.added_at from gone
),
described as (
    update profile
    set traits = jsonb_build_object('Contact', jsonb_build_object(
        'email', jsonb_build_array('person.' || :i::text || '@example.com', (extract(epoch from clock_timestamp()) * 1000000)::bigint),
        'phone', jsonb_build_array('+' || :digits::text, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
    ))
    where store_id = '{store_id}' and id = :profile_id::uuid
),
repointed as (
    update alias set profile_id = :profile_id::uuid
    where store_id = '{store_id}' and profile_id = :absorbed::uuid
),
aliased as (
    insert into alias (store_id, id, profile_id) values ('{store_id}', :absorbed::uuid, :profile_id::uuid)
),
recorded as (
    insert into merge (store_id, id, canonical_id, absorbed_ids, rule, moved, merged_at)
    values (
        '{store_id}', uuidv7(), :profile_id::uuid, array[:absorbed::uuid], 'email',
        jsonb_build_array(
            jsonb_build_object('id', :profile_id::text, 'identifiers', array['+' || :digits::text]),
            jsonb_build_object('id', :absorbed::text, 'identifiers', array['person.' || :i::text || '@example.com'])
        ),
        clock_timestamp()
    )
)
delete from profile where store_id = '{store_id}' and id = :absorbed::uuid;
commit;
