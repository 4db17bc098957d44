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

shared_nodes as (

    select node from identity.shared_nodes

),

things_of_few as (

    select
        links.node_b,
        min(links.node_a) as first_carrier
    from links
    left join shared_nodes as shared on links.node_b = shared.node
    where links.method != 'crm_merge' and shared.node is null
    group by links.node_b
    -- A browser is somebody by itself; an address that one alone carries joins nobody.
    having starts_with(links.node_b, 'client:') or min(links.node_a) < max(links.node_a)

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
