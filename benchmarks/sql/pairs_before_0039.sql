-- The same for earlier commits, which have a table of traits: docs/decisions/0039-one-document-of-traits.md.
with
made as (
    insert into profile (store_id, id, created_at) select '{store_id}', {profile_id}, now() from {persons}
),
identified as (
    insert into identifier (store_id, id_type, value, profile_id, is_unique, added_at)
    select '{store_id}', '{id_type}', {value}, {profile_id}, true, now() from {persons}
)
insert into trait (store_id, profile_id, group_name, name, value, written_at)
select '{store_id}', {profile_id}, 'Contact', '{id_type}', to_jsonb({value}), now() from {persons}
