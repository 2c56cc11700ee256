\set n random(1, 1000000000)
\set i random(0, :people - 1)
\set digits {digits}
begin;
select profile_id
from lock_and_gather(
    '{store_id}', 1, {store_key}, array[hashtextextended('+' || :digits::text, 0)],
    array['phone'], array['+' || :digits::text], null, '{}', '{}', '{}'
) \gset
insert into trait (store_id, profile_id, group_name, name, value, written_at)
select '{store_id}', :profile_id::uuid, 'Contact', put.name, to_jsonb(put.value), clock_timestamp()
from unnest(array['phone', 'firstName'], array['+' || :digits::text, 'Name' || :n::text]) as put (name, value)
on conflict on constraint trait_pkey do update set value = excluded.value, written_at = excluded.written_at;
commit;
