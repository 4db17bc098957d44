-- One round of "who is who": every node takes the smallest person among its neighbours, then its
-- person's person. The runner repeats it until nothing changes; the rounds grow with the logarithm
-- of the longest chain.
with

used_links as (

    select
        node_a,
        node_b
    from identity.links
    where is_used

),

both_ways as (

    select
        node_a as node,
        node_b as neighbour
    from used_links

    union distinct

    select
        node_b as node,
        node_a as neighbour
    from used_links

),

nodes as (

    select node from both_ways

    union distinct

    select concat('crm:', crm, ':', crm_record_id) as node
    from staging.stg_crm__leads

    union distinct

    select concat('client:', client_id) as node
    from staging.stg_web__touches
    where occurred_at >= timestamp(@history_start) and client_id is not null

    union distinct

    -- A submission without a browser id stands for itself, joined by what was typed into it.
    select coalesce(concat('client:', client_id), concat('event:', event_key)) as node
    from staging.stg_web__tag_events
    where occurred_at >= timestamp(@history_start)

),

person_so_far as (

    select
        nodes.node,
        coalesce(before.person_key, nodes.node) as person_key
    from nodes
    left join identity.person_nodes as before using (node)

),

smallest_among_neighbours as (

    -- Of all neighbours of the whole person so far, not only of the one node: groups join groups.
    select
        own.person_key as old_person_key,
        min(neighbours.person_key) as person_key
    from both_ways
    inner join person_so_far as own on both_ways.node = own.node
    inner join person_so_far as neighbours on both_ways.neighbour = neighbours.node
    group by own.person_key

),

lowered as (

    select
        own.node,
        least(own.person_key, coalesce(smallest.person_key, own.person_key)) as person_key
    from person_so_far as own
    left join smallest_among_neighbours as smallest on own.person_key = smallest.old_person_key

),

person_nodes as (

    select
        lowered.node,
        least(lowered.person_key, theirs.person_key) as person_key
    from lowered
    inner join lowered as theirs on lowered.person_key = theirs.node

)

select * from person_nodes
