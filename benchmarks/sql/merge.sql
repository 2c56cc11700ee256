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
    set creation_number = null, created_by = null, traits = jsonb_build_object('Contact', jsonb_build_object(
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
    insert into event (store_id, number, id, profile_id, kind, happened_at, document)
    select
        '{store_id}'::uuid, profile.creation_number, profile.id, profile.id, 'created', profile.created_at,
        json_build_object(
            'i', json_build_array(json_build_array(trait.key, trait.value ->> 0)),
            'c', json_build_array(0), 'a', json_build_array(0),
            'w', json_build_object('Contact', json_build_object(trait.key, trait.value ->> 0))
        )
    from profile cross join lateral jsonb_each(profile.traits -> 'Contact') as trait
    where profile.store_id = '{store_id}' and profile.id = any (array[:profile_id::uuid, :absorbed::uuid])
        and profile.creation_number is not null
    union all
    select
        '{store_id}'::uuid, nextval('event_number'), uuidv7(), :profile_id::uuid, 'merged', clock_timestamp(),
        json_build_object(
            'i', json_build_array(
                json_build_array('email', 'person.' || :i::text || '@example.com'),
                json_build_array('phone', '+' || :digits::text)
            ),
            'c', json_build_array(0, 1), 'm', json_build_array(1, 0, 1, 0, 1, 1),
            'b', json_build_array(json_build_array(
                rtrim(translate(encode(uuid_send(:absorbed::uuid), 'base64'), '+/', '-_'), '='),
                json_build_array(0, 0),
                json_build_object('Contact', json_build_object(
                    'email', json_build_array('person.' || :i::text || '@example.com', 0)
                ))
            )),
            'w', json_build_object('Contact', json_build_object(
                'email', 'person.' || :i::text || '@example.com', 'phone', '+' || :digits::text
            )),
            'p', json_build_object('Contact', json_build_object(
                'email', null, 'phone', json_build_array('+' || :digits::text, 0)
            )),
            'r', 'email'
        )
)
delete from profile where store_id = '{store_id}' and id = :absorbed::uuid;
commit;
