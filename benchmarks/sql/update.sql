\set n random(1, 1000000000)
\set i random(0, :people - 1)
\set digits {digits}
begin;
select profile_id
from lock_and_gather(
    '{store_id}', 1, {store_key}, array[hashtextextended('+' || :digits::text, 0)],
    array['phone'], array['+' || :digits::text], null, '{{}}', '{{}}', '{{}}'
) \gset
update profile
set traits = jsonb_build_object('Contact', jsonb_build_object(
    'phone', jsonb_build_array('+' || :digits::text, (extract(epoch from clock_timestamp()) * 1000000)::bigint),
    'firstName', jsonb_build_array('Name' || :n::text, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
))
where store_id = '{store_id}' and id = :profile_id::uuid;
commit;
