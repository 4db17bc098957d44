-- Who is linked to whom: every thing that a few carry joins its carriers to the first of them. Most
-- things are carried once and join nobody, so this is far smaller than identity.links.
with

links as (

    select
        node_a,
        node_b,
        method
    from identity.links

),

things_of_few as (

    select
        node_b,
        min(node_a) as first_carrier
    from links
    where method != 'crm_merge'
    group by node_b
    having
        count(distinct node_a) <= @max_fan_out
        -- A browser is somebody by itself; an address that one alone carries joins nobody.
        and (starts_with(node_b, 'client:') or min(node_a) < max(node_a))

),

joined as (

    select
        links.node_a as node,
        if(starts_with(links.node_b, 'client:'), links.node_b, things.first_carrier) as neighbour,
        links.node_b as via
    from links
    inner join things_of_few as things using (node_b)
    where links.method != 'crm_merge'

    union all

    select
        node_a as node,
        node_b as neighbour,
        node_b as via
    from links
    where method = 'crm_merge'

),

neighbours as (

    select
        node,
        neighbour,
        via
    from joined
    where node != neighbour

    union distinct

    select
        neighbour as node,
        node as neighbour,
        via
    from joined
    where node != neighbour

)

select * from neighbours
