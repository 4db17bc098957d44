"""The middle layers of an incremental run: whom the changed rows concern, recomputed whole.

A person is a connected group of nodes (CRM records, browsers, lone submissions and visits). Whoever
carried, carries or shares something that changed is in scope, with everybody of the old group and
of the new one: so old and new groups are recomputed as wholes, and nobody else can differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trueline.model.catalog import Table
from trueline.pipeline.incremental.parts import FullRebuildNeededError, Parts
from trueline.warehouse import scoped

EVENTS, TOUCHES = "staging.stg_web__tag_events", "staging.stg_web__touches"
LEADS, STAGES, DEALS = "staging.stg_crm__leads", "staging.stg_crm__stages", "staging.stg_crm__deals"
SHARED_BROWSERS = "staging.stg_web__shared_browsers"
CLICKS, CAMPAIGNS = "staging.stg_ads__clicks", "staging.stg_ads__campaigns"
LINKS, NEIGHBOURS = "identity.links", "identity.neighbours"
SHARED, NODES = "identity.shared_nodes", "identity.person_nodes"
GRAPH = (LINKS, SHARED, NEIGHBOURS, NODES)
# With more than this share of all nodes in scope, computing everything is quicker.
LARGEST_SHARE = 0.5
_SMALLEST_SCOPE = 20_000

_NODE_OF_RECORD = "concat('crm:', rows_of.crm, ':', rows_of.crm_record_id)"
NODE_OF = {
    EVENTS: "coalesce(concat('client:', rows_of.client_id), concat('event:', rows_of.event_key))",
    TOUCHES: "coalesce(concat('client:', rows_of.client_id), concat('touch:', rows_of.touch_id))",
    LEADS: _NODE_OF_RECORD,
    STAGES: _NODE_OF_RECORD,
    DEALS: _NODE_OF_RECORD,
}
# Kind of a lone node, and the column that names it.
_LONE = {EVENTS: ("event", "event_key"), TOUCHES: ("touch", "touch_id")}


def rebuild_people(
    parts: Parts, order: Iterable[Table], clocks: str, told: Callable[[str], None]
) -> int:
    """Recompute who is who and every person-keyed table for those whom changes concern.

    Args:
        clocks: A query of ``person_key``: people whose rows change by time alone.

    Returns:
        Number of nodes in scope.

    Raises:
        FullRebuildNeededError: the scope is most of everybody.
    """
    _carriers_of_changes(parts)
    _rebuild_links(parts, "replaced")
    told(LINKS)
    in_scope = _scope(parts, clocks)
    _rebuild_scope(parts, order, told)
    return in_scope


def recompute_people_of_fresh_rows(parts: Parts, order: Iterable[Table]) -> None:
    """Recompute everybody to whom a staging row belongs that was computed anew, changed or not."""
    told = [
        f"select {NODE_OF[key]} as node from scratch.{scoped.place('fresh', parts.table(key))} "
        "as rows_of"
        for key in NODE_OF
    ]
    _keep_nodes(parts, "carriers", told)
    _keep_nodes(parts, "changed_nodes", told)
    _rebuild_links(parts, "fresh")
    _scope(parts, "select cast(null as string) as person_key")
    _rebuild_scope(parts, order, lambda _: None)


def _rebuild_scope(parts: Parts, order: Iterable[Table], told: Callable[[str], None]) -> None:
    _give(parts, "scope", (EVENTS, TOUCHES, LEADS, STAGES, DEALS))
    _rebuild_nodes(parts)
    told(NODES)
    _give_clicks(parts)
    for table in order:
        if table.rebuilt_by == "person":
            _rebuild_person_table(parts, table)
            told(table.key)


def _carriers_of_changes(parts: Parts) -> None:
    """``changed_nodes``: whose own rows changed. ``carriers``: whose links may have."""
    told = {
        key: f"select {NODE_OF[key]} as node from scratch.{scoped.place('diff', table)} as rows_of"
        for key in NODE_OF
        if parts.differing.get(key) and (table := parts.table(key))
    }
    if parts.differing.get(SHARED_BROWSERS):
        browsers = f"scratch.{scoped.place('diff', parts.table(SHARED_BROWSERS))}"
        condition = f"rows_of.client_id in (select client_id from {browsers})"
        records = parts.rows_now(parts.table(LEADS), condition, select=f"{NODE_OF[LEADS]} as node")
        told[SHARED_BROWSERS] = records
    # An older version of an erased record may come late: the stub stays as it is, but stands beside
    # more of what the record once told.
    stubs = f"scratch.{scoped.place('fresh', parts.table(LEADS))}"
    of_stubs = f"select {NODE_OF[LEADS]} as node from {stubs} as rows_of where rows_of.is_deleted"
    linking = [told[key] for key in (EVENTS, TOUCHES, LEADS, SHARED_BROWSERS) if key in told]
    linking.append(of_stubs)
    _keep_nodes(parts, "carriers", linking)
    _keep_nodes(parts, "changed_nodes", [*told.values(), *_told_by_ads(parts)])


def _keep_nodes(parts: Parts, name: str, queries: list[str]) -> int:
    nothing = "select cast(null as string) as node"
    union = "\nunion all\n".join([*queries, nothing])
    return parts.keep(
        name, f"select distinct node from (\n{union}\n) as told where node is not null"
    )


def _told_by_ads(parts: Parts) -> list[str]:
    """Carriers of clicks and names whose campaign changed."""
    queries = []
    if parts.differing.get(CLICKS):
        clicks = f"scratch.{scoped.place('diff', parts.table(CLICKS))}"
        queries.append(
            f"select rows_of.node_a as node from {LINKS} as rows_of where rows_of.node_b in "
            f"(select concat('click:', click_id) from {clicks})"
        )
    if parts.differing.get(CAMPAIGNS):
        campaigns = f"scratch.{scoped.place('diff', parts.table(CAMPAIGNS))}"
        parts.keep(
            "campaign_words",
            f"select distinct word from (select campaign_id as word from {campaigns} "
            f"union all select lower(trim(campaign_name)) as word from {campaigns}) as words "
            "where word is not null",
        )
        for key in (EVENTS, TOUCHES, LEADS):
            for column in ("utm_campaign", "ad_campaign_id"):
                condition = f"rows_of.{column} in (select word from scratch.campaign_words)"
                select = f"{NODE_OF[key]} as node"
                queries.append(parts.rows_now(parts.table(key), condition, select=select))
    return queries


def _rebuild_links(parts: Parts, which: str) -> None:
    """Recompute the links of ``carriers``, and what is known of the things they carry.

    Args:
        which: ``replaced`` looks at the things of carriers that differ, ``fresh`` of all.
    """
    links = parts.table(LINKS)
    _give(parts, "carriers", (EVENTS, TOUCHES, LEADS))
    raw = parts.table("raw.crm_leads")
    stubs = f"scratch.{scoped.place('given', parts.table(LEADS))}"
    parts.keep(
        scoped.place("given", raw),
        scoped.rows(
            raw,
            join=f"inner join {stubs} as stubs on rows_of.crm = stubs.crm "
            "and rows_of.crm_record_id = stubs.crm_record_id",
            condition="stubs.is_deleted",
        ),
    )
    inputs = {key: scoped.place("given", parts.table(key)) for key in (EVENTS, TOUCHES, LEADS)}
    parts.compute(
        links, {**parts.whole_inputs(links, inputs), **inputs, raw.key: scoped.place("given", raw)}
    )
    carried = "inner join scratch.carriers as carriers on rows_of.node_a = carriers.node"
    parts.keep_old(links, carried)
    parts.settle(links, ("node_a",))

    # Whether a thing is shared by too many may depend on what else its carriers carry.
    parts.keep(
        "changed_things",
        "select distinct links.node_b from ("
        f"select node_a, node_b from scratch.{scoped.place('old', links)} union all "
        f"select node_a, node_b from scratch.{scoped.place('fresh', links)}) as links "
        "inner join (select distinct node_a "
        f"from scratch.{scoped.place(which, links)}) as looked_at using (node_a)",
    )
    of_things = "inner join scratch.changed_things as changed on rows_of.{} = changed.node_b"
    carriers = scoped.place("carriers", links)
    parts.keep(
        carriers,
        "select distinct node_a from (\n"
        + parts.rows_now(links, join=of_things.format("node_b"), select="rows_of.node_a")
        + "\n) as carriers",
    )
    given = scoped.place("given", links)
    of_carriers = f"inner join scratch.{carriers} as carriers on rows_of.node_a = carriers.node_a"
    parts.keep(given, parts.rows_now(links, join=of_carriers))
    for key, column in ((SHARED, "node"), (NEIGHBOURS, "via")):
        table = parts.table(key)
        fresh = scoped.place("fresh", table)
        inputs = {LINKS: given}
        parts.compute(table, {**parts.whole_inputs(table, inputs), **inputs})
        # The carriers' other things are not here with all of theirs.
        only = of_things.format(column)
        columns = scoped.columns(table, "rows_of")
        parts.keep(f"{fresh}__all", f"select * from scratch.{fresh}")
        parts.keep(fresh, f"select {columns} from scratch.{fresh}__all as rows_of {only}")
        parts.keep_old(table, only)
        parts.settle(table, (column,))


def _scope(parts: Parts, clocks: str) -> int:
    neighbours = f"scratch.{scoped.place('diff', parts.table(NEIGHBOURS))}"
    parts.keep(
        "first_nodes",
        "select node from scratch.changed_nodes union distinct "
        f"select node from {neighbours} union distinct select neighbour from {neighbours}",
    )
    parts.keep(
        "old_persons",
        f"select rows_of.person_key from {NODES} as rows_of "
        "inner join scratch.first_nodes as first_nodes using (node) "
        # Who is linked to nothing is named like the node.
        "union distinct select node as person_key from scratch.first_nodes "
        f"union distinct select person_key from (\n{clocks}\n) as clocks "
        "where person_key is not null",
    )
    in_scope = parts.keep(
        "scope",
        "select node from scratch.first_nodes "
        f"union distinct select rows_of.node from {NODES} as rows_of "
        "inner join scratch.old_persons as old_persons using (person_key) "
        "union distinct select person_key as node from scratch.old_persons",
    )
    if in_scope > _SMALLEST_SCOPE:
        everybody = parts.count(f"select count(*) as n from {NODES}")
        if in_scope > LARGEST_SHARE * everybody:
            raise FullRebuildNeededError(
                f"{in_scope:,} of {everybody:,} linked nodes are concerned"
            )
    return in_scope


def _rebuild_nodes(parts: Parts) -> None:
    nodes, neighbours = parts.table(NODES), parts.table(NEIGHBOURS)
    scoped_join = "inner join scratch.scope as scope on rows_of.node = scope.node"
    given = scoped.place("given", neighbours)
    parts.keep(given, parts.rows_now(neighbours, join=scoped_join))
    inputs = {NEIGHBOURS: given, LEADS: scoped.place("given", parts.table(LEADS))}
    parts.compute(nodes, inputs)
    parts.keep_old(nodes, scoped_join)
    parts.settle(nodes, ("node",))
    parts.keep(
        "persons",
        "select person_key from scratch.old_persons union distinct "
        f"select person_key from scratch.{scoped.place('fresh', nodes)} union distinct "
        # Who lost the last link is a person of its own now.
        "select node as person_key from scratch.scope",
    )


def _give(parts: Parts, nodes: str, keys: Iterable[str]) -> None:
    """Keep the staging rows of the nodes in ``scratch.<nodes>``, for queries to read instead."""
    for kind in ("client", "event", "touch"):
        parts.keep(
            f"{nodes}_{kind}",
            f"select substr(node, {len(kind) + 2}) as named from scratch.{nodes} "
            f"where starts_with(node, '{kind}:')",
        )
    for key in keys:
        table = parts.table(key)
        given = scoped.place("given", table)
        if key not in _LONE:
            join = f"inner join scratch.{nodes} as asked on {NODE_OF[key]} = asked.node"
            parts.keep(given, parts.rows_now(table, join=join))
            continue
        kind, column = _LONE[key]
        of_client = f"inner join scratch.{nodes}_client as asked on rows_of.client_id = asked.named"
        alone = f"inner join scratch.{nodes}_{kind} as asked on rows_of.{column} = asked.named"
        # A few days hold the rows of a few people: found by a narrow look at all days, and then
        # read with all columns.
        select = "rows_of.report_date as day"
        days = parts.days_of(
            "select distinct day from (\n"
            + parts.rows_now(table, join=of_client, select=select)
            + "\nunion all\n"
            + parts.rows_now(table, "rows_of.client_id is null", alone, select)
            + "\n) as days_of_both"
        )
        of_days = "rows_of.report_date in unnest(@days)" if days else "false"
        parts.keep(
            given,
            parts.rows_now(table, of_days, of_client)
            + "\nunion all\n"
            + parts.rows_now(table, f"{of_days} and rows_of.client_id is null", alone),
            days,
        )


def _give_clicks(parts: Parts) -> None:
    clicks = parts.table(CLICKS)
    carried = "\nunion distinct\n".join(
        f"select click_id from scratch.{scoped.place('given', parts.table(key))} "
        "where click_id is not null"
        for key in (EVENTS, TOUCHES, LEADS)
    )
    parts.keep("carried_clicks", carried)
    join = "inner join scratch.carried_clicks as carried on rows_of.click_id = carried.click_id"
    parts.keep(scoped.place("given", clicks), parts.rows_now(clicks, join=join))


def _rebuild_person_table(parts: Parts, table: Table) -> None:
    inputs = {}
    for key in sorted(table.reads):
        read = parts.table(key)
        if key in NODE_OF or key == CLICKS:
            inputs[key] = scoped.place("given", read)
        elif read.rebuilt_by == "person" or key == NODES:
            inputs[key] = scoped.place("fresh", read)
    parts.compute(table, {**parts.whole_inputs(table, inputs), **inputs})
    persons = "inner join scratch.persons as persons on rows_of.person_key = persons.person_key"
    parts.keep_old(table, persons)
    parts.settle(table, ("person_key",))
