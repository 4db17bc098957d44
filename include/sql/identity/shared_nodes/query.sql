-- One office phone, info@ address or shop tablet must not glue a town together: what more than
-- max_fan_out carry links nobody, and is listed here instead.
with

links as (

    select
        node_a,
        node_b
    from identity.links
    -- Records merged into one survivor are one person, however many they are.
    where method != 'crm_merge'

),

shared_nodes as (

    select
        node_b as node,
        substr(node_b, 1, strpos(node_b, ':') - 1) as kind,
        count(distinct node_a) as carriers,
        @rules_version as rules_version
    from links
    group by node_b
    having count(distinct node_a) > @max_fan_out

)

select * from shared_nodes
