-- Profiles with one identifier each, which merges join.
with made as (
    insert into profile (store_id, id, created_at, traits)
    select
        '{store_id}', {profile_id}, now(),
        jsonb_build_object('Contact', jsonb_build_object(
            '{id_type}', jsonb_build_array({value})
        ))
    from {persons}
)
insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
select '{store_id}', '{id_type}', {value}, {profile_id}, '', now() from {persons}
