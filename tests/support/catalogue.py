"""All that a database's own catalogue says of a schema, in a form that two databases can be compared by.

The order of columns is left out: an upgrade adds at the end what a fresh table may have in its middle.
"""

from tests.support.rows import rows

OURS = (
    "n.nspname = current_schema() and not exists (select from pg_depend e where e.objid = {}.oid and e.deptype = 'e')"
)

RELATIONS = f"""
    select c.relname as name, c.relkind, c.reloptions, c.relpersistence, c.relrowsecurity,
           obj_description(c.oid) as comment,
           array(select acl::text from unnest(c.relacl) as acl order by 1) as acl, pg_get_userbyid(c.relowner) as owner,
           case when c.relkind = 'v' then pg_get_viewdef(c.oid) end as view
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where {OURS.format("c")} and c.relkind in ('r', 'v', 'm', 'S', 'p', 'c')
"""
COLUMNS = f"""
    select c.relname || '.' || a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull,
           a.attidentity, a.attgenerated, a.attcollation::regcollation::text as collation, a.attstorage,
           pg_get_expr(d.adbin, d.adrelid) as default, col_description(c.oid, a.attnum) as comment,
           array(select acl::text from unnest(a.attacl) as acl order by 1) as acl
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join pg_namespace n on n.oid = c.relnamespace
    left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    where {OURS.format("c")} and c.relkind in ('r', 'v', 'm') and a.attnum > 0 and not a.attisdropped
"""
CONSTRAINTS = f"""
    select c.conrelid::regclass || '.' || c.conname as name, pg_get_constraintdef(c.oid) as definition, c.convalidated
    from pg_constraint c join pg_namespace n on n.oid = c.connamespace
    where {OURS.format("c")} and c.contype <> 'n'
"""
INDEXES = f"""
    select c.relname as name, pg_get_indexdef(i.indexrelid) as definition, i.indisvalid
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
    where {OURS.format("c")}
"""
TRIGGERS = f"""
    select t.tgrelid::regclass || '.' || t.tgname as name, pg_get_triggerdef(t.oid) as definition, t.tgenabled
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
    where {OURS.format("c")} and not t.tgisinternal and t.tgname !~ '^(ts_|_timescaledb)'
"""
FUNCTIONS = f"""
    select p.oid::regprocedure::text as name, p.prokind,
           case when p.prokind = 'f' then pg_get_functiondef(p.oid) end as definition,
           (select (g.aggtransfn, g.aggfinalfn, g.aggtranstype::regtype, g.agginitval, g.aggkind)::text
            from pg_aggregate g where g.aggfnoid = p.oid) as aggregate,
           obj_description(p.oid) as comment, pg_get_userbyid(p.proowner) as owner,
           array(select acl::text from unnest(p.proacl) as acl order by 1) as acl
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where {OURS.format("p")}
"""
HYPERTABLES = """
    select d.hypertable_name as name, d.column_name, d.time_interval, d.num_partitions
    from timescaledb_information.dimensions d where d.hypertable_schema = current_schema()
"""

Catalogue = dict[str, dict[str, object]]


def catalogue(conninfo: str) -> Catalogue:
    """Kind and name of each object to everything that is known of it."""
    asked = {
        "relation": RELATIONS,
        "column": COLUMNS,
        "constraint": CONSTRAINTS,
        "index": INDEXES,
        "trigger": TRIGGERS,
        "function": FUNCTIONS,
    }
    if rows(conninfo, "select 1 as there from pg_extension where extname = 'timescaledb'"):
        asked["hypertable"] = HYPERTABLES
    found = {f"{kind} {row.pop('name')}": row for kind, query in asked.items() for row in rows(conninfo, query)}
    for kind in asked:
        assert any(name.startswith(f"{kind} ") for name in found), f"there is no {kind} at all: the query is wrong"
    return found


def differences(one: Catalogue, other: Catalogue) -> dict[str, tuple[object, object]]:
    """What is not the same, by kind and name."""
    return {
        name: (one.get(name), other.get(name))
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    }
