\set n random(1, 1000000000)
\set i random(0, :people - 1)
\set digits {digits}
begin;
select profile_id
from lock_and_gather(
    '{store_id}', 1, {store_key}, array[hashtextextended('+' || :digits::text, 0)],
    array['phone'], array['+' || :digits::text], null, '{{}}', '{{}}', '{{}}'
) \gset
with changed as (
    update profile
    set creation_number = null, created_by = null, traits = jsonb_build_object('Contact', jsonb_build_object(
        'phone', jsonb_build_array('+' || :digits::text, (extract(epoch from clock_timestamp()) * 1000000)::bigint),
        'firstName', jsonb_build_array('Name' || :n::text, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
    ))
    where store_id = '{store_id}' and id = :profile_id::uuid
)
insert into event (store_id, number, id, profile_id, kind, happened_at, document)
select
    '{store_id}'::uuid, profile.creation_number, profile.id, profile.id, 'created', profile.created_at,
    json_build_object(
        'i', json_build_array(json_build_array('phone', '+' || :digits::text)),
        'c', json_build_array(0), 'a', json_build_array(0),
        'w', json_build_object('Contact', json_build_object('phone', '+' || :digits::text))
    )
from profile
where profile.store_id = '{store_id}' and profile.id = :profile_id::uuid and profile.creation_number is not null
union all
select
    '{store_id}'::uuid, nextval('event_number'), uuidv7(), :profile_id::uuid, 'updated', clock_timestamp(),
    json_build_object(
        'i', json_build_array(json_build_array('phone', '+' || :digits::text)),
        'c', json_build_array(0), 'm', json_build_array(0, 0, 1),
        'w', json_build_object('Contact', json_build_object(
            'phone', '+' || :digits::text, 'firstName', 'Name' || :n::text
        )),
        'p', json_build_object('Contact', json_build_object(
            'phone', json_build_array('+' || :digits::text, 0), 'firstName', json_build_array('Name', 0)
        ))
    );
commit;
