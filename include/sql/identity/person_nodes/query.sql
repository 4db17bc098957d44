-- One round of "who is who": every node takes the smallest person among its neighbours, then its
-- person's person. The runner repeats it until nothing changes; the rounds grow with the logarithm
-- of the longest chain. Only what is linked is here, and every CRM record: a browser or submission
-- that is linked to nothing is a person of its own, named like its node.
with

neighbours as (

    select
        node,
        neighbour
    from identity.neighbours

),

nodes as (

    select node from neighbours

    union distinct

    select concat('crm:', crm, ':', crm_record_id) as node
    from staging.stg_crm__leads

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
        min(neighbours_so_far.person_key) as person_key
    from neighbours
    inner join person_so_far as own on neighbours.node = own.node
    inner join person_so_far as neighbours_so_far
        on neighbours.neighbour = neighbours_so_far.node
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
