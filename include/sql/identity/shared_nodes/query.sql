-- One office phone, info@ address or link in a newsletter must not glue a town together: what many
-- carry links nobody, and is listed here instead with the reason.
with

links as (

    select
        node_a,
        node_b
    from identity.links
    -- Records merged into one survivor are one person, however many they are.
    where method != 'crm_merge'

),

carried_again as (

    -- Nearly everything is carried once: counting different carriers is for the rest.
    select node_b from links
    group by node_b
    having count(*) > 1

),

links_to_several as (

    select
        links.node_a,
        links.node_b
    from links
    inner join carried_again using (node_b)

),

carriers_of_things as (

    select
        node_b as node,
        substr(node_b, 1, strpos(node_b, ':') - 1) as kind,
        count(distinct node_a) as carriers,
        count(distinct if(starts_with(node_a, 'client:'), node_a, null)) as browsers
    from links_to_several
    group by node_b

),

addresses_of_carriers as (

    select
        node_a,
        node_b as address
    from links
    where starts_with(node_b, 'email:')

),

addresses_of_phones as (

    -- One person has few addresses; the people behind a switchboard have one each.
    select
        links.node_b as node,
        count(distinct addresses.address) as addresses
    from links_to_several as links
    inner join addresses_of_carriers as addresses using (node_a)
    where starts_with(links.node_b, 'phone:')
    group by links.node_b

),

judged as (

    select
        things.node,
        things.kind,
        case
            when things.carriers > @max_fan_out then 'carriers'
            when coalesce(phones.addresses, 0) > @max_addresses then 'addresses'
            -- A click happens in one browser: one seen in more was passed on.
            when things.kind = 'click' and things.browsers > @max_browsers_per_click
                then 'browsers'
        end as reason,
        things.carriers
    from carriers_of_things as things
    left join addresses_of_phones as phones using (node)

),

shared_nodes as (

    select
        node,
        kind,
        reason,
        carriers,
        @rules_version as rules_version
    from judged
    where reason is not null

)

select * from shared_nodes
