select
    store.revision,
    array(
        select identifier.profile_id
        from identifier
        where identifier.store_id = store.id
            and identifier.id_type = '{id_type}'
            and identifier.value = {value}
        order by identifier.profile_id
        limit 100
    ) as profile_ids
from credential
join store on store.account_id = credential.account_id
where credential.sid = '{sid}'
    and credential.secret_sha256 = decode('{secret_sha256}', 'hex')
    and store.id = '{store_id}'
    and store.status = 'ACTIVE';
