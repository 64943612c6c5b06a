"""Decide which databases lack the extension: where it is called, and where runs are recorded."""

from collections.abc import Iterator

from pgpool_recovery.setup.facts import ClusterState, NodeState
from pgpool_recovery.setup.need import Advice, Item, Need, There, words
from pgpool_recovery.setup.script import LAST
from pgpool_recovery.setup.statement import answers, identifier, literal, on_primary, run_sql

NAME = "extension"
RECORDED_IN = "postgres"
STOCK = "1."
CALLED = (
    *("pgpool_recovery(text, text, text)", "pgpool_recovery(text, text, text, text)"),
    "pgpool_recovery(text, text, text, text, integer)",
    "pgpool_recovery(text, text, text, text, integer, text)",
    "pgpool_recovery(text, text, text, text, integer, text, text)",
    "pgpool_remote_start(text, text)",
)
"""What Pgpool-II calls, in each of its releases."""
VERSION_OF = (
    "SELECT extversion FROM pg_catalog.pg_extension "
    "WHERE extname OPERATOR(pg_catalog.=) 'pgpool_recovery'"
)


AGAIN = (
    "SELECT pg_catalog.format('CREATE EXTENSION IF NOT EXISTS pgpool_recovery "
    "WITH SCHEMA %I VERSION %L;', n.nspname, e.extversion) FROM pg_catalog.pg_extension e "
    "JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace "
    "WHERE e.extname OPERATOR(pg_catalog.=) 'pgpool_recovery' "
    "AND e.extversion OPERATOR(pg_catalog.~~) '1.%'"
)
"""The statement that makes the stock extension again, if it is there."""


def databases(calling: str) -> tuple[str, ...]:
    """Return the databases that should have it.

    >>> databases("template1"), databases("postgres")
    (('template1', 'postgres'), ('postgres',))
    """
    return tuple(dict.fromkeys((calling, RECORDED_IN)))


def extension(around: ClusterState) -> Iterator[Item]:
    """Yield what each of the databases on the primary has, and what it lacks."""
    primary = around.primary
    if primary is None:
        hosts = [host.name for host in around.hosts if host.problem is not None]
        yield Advice(
            around.hosts[0].name if around.hosts else "",
            NAME,
            "no primary was found, so the databases could not be examined",
            f"Make setup reach {', '.join(hosts)}, and run it again."
            if hosts
            else "Start the primary, and run setup again.",
            is_needed=True,
        )
        for other in around.hosts:
            if other.problem is not None:
                for node in other.nodes:
                    yield from _unseen(other.name, node, around.pool.database)
        return
    host = around.host_of(primary).name
    for database in databases(around.pool.database):
        found = primary.extensions.get(database)
        if found is not None and found[0] == around.extension_version:
            yield There(host, NAME, f"{found[0]} in database {database}")
        elif database not in primary.extensions:
            yield Advice(
                host,
                NAME,
                f"database {database} does not exist, or could not be examined",
                f"Create it: Pgpool-II calls the extension there ({around.pool.conf}).",
                is_needed=True,
            )
        else:
            yield _need(host, primary, database, found, around.extension_version)
    yield from _recovery_user(host, primary, around)


def _recovery_user(host: str, primary: NodeState, around: ClusterState) -> Iterator[Item]:
    """Yield what the role that calls the functions lacks; the stock ones refuse all but superusers.

    Ours are for superusers too, until EXECUTE is granted, and so the grant follows the extension.
    """
    user = around.pool.recovery_user
    if not user or primary.recovery_user == "superuser":
        return
    if primary.recovery_user is None:
        yield Advice(
            host,
            "recovery_user",
            f"the role {user}, recovery_user in {around.pool.conf}, does not exist",
            f"Create it, or set recovery_user in {around.pool.conf} to a superuser.",
            is_needed=True,
        )
        return
    for database in databases(around.pool.database):
        found = primary.extensions.get(database)
        is_ours = found is not None and found[0] == around.extension_version
        if database not in primary.extensions or (is_ours and database in primary.may_call):
            continue
        schema = "public" if found is None else found[1]
        names = ", ".join(f"{identifier(schema)}.{function}" for function in CALLED)
        yield Need(
            host,
            f"51-grant-{database}",
            f"the role {user}, recovery_user in {around.pool.conf}, may not call the functions in "
            f"database {database}",
            "They are called as this role, which need not be a superuser.",
            test="false",
            commands=(
                run_sql(
                    primary,
                    database,
                    f"GRANT EXECUTE ON FUNCTION {names} TO {identifier(user)}",
                ),
            ),
            undo=(),  # It goes with the extension.
        )


def _need(
    host: str, primary: NodeState, database: str, found: tuple[str, str] | None, version: str
) -> Need:
    is_stock = found is not None and found[0].startswith(STOCK)
    drop = on_primary(database, "DROP EXTENSION IF EXISTS pgpool_recovery")
    if found is None:
        what = f"the extension is missing in database {database}"
        do = "CREATE EXTENSION pgpool_recovery WITH SCHEMA public"
    elif is_stock:
        what = f"database {database} has the stock extension {found[0]}"
        do = "ALTER EXTENSION pgpool_recovery UPDATE"
    else:
        what = f"database {database} has version {found[0]} of the extension"
        do = "ALTER EXTENSION pgpool_recovery UPDATE"
    again = () if found is None or not is_stock else (_stock_again(database, found),)
    return Need(
        host,
        f"50-extension-{database}",
        what,
        "Pgpool-II calls its functions."
        if database != RECORDED_IN
        else "Pgpool-II calls its functions, or recoveries are recorded there.",
        test=answers(primary, database, VERSION_OF, version),
        commands=(run_sql(primary, database, do),),
        undo=(drop,) if found is None or is_stock else (),
        undo_last=again,
        on_primary=True,
    )


def _unseen(host: str, node: NodeState, calling: str) -> Iterator[Need]:
    """Yield the needs of a node that may be the primary; a standby has what the primary has."""
    for database in databases(calling):
        name = f"extension-{database}"
        again = run_sql(node, database, AGAIN)
        place = words(database)
        yield Need(
            host,
            f"50-{name}",
            f"the extension in database {database}, if this is the primary",
            "Pgpool-II calls its functions, or recoveries are recorded there.",
            test=answers(node, database, "SELECT pg_catalog.pg_is_in_recovery()", "t"),
            commands=(
                f'again="$({again})"',
                f'record="$(printf "sql {place} <<\'SQL\'\\n%s\\nSQL" "$again")"',
                f'[ -z "$again" ] || echo "$record" | keep_undo {LAST}-{name}.primary',
                run_sql(
                    node,
                    database,
                    "CREATE EXTENSION IF NOT EXISTS pgpool_recovery WITH SCHEMA public; "
                    "ALTER EXTENSION pgpool_recovery UPDATE",
                ),
            ),
            undo=(on_primary(database, "DROP EXTENSION IF EXISTS pgpool_recovery"),),
            on_primary=True,
        )


def _stock_again(database: str, found: tuple[str, str]) -> str:
    version, schema = found
    return on_primary(
        database,
        "CREATE EXTENSION IF NOT EXISTS pgpool_recovery "
        f"WITH SCHEMA {identifier(schema)} VERSION {literal(version)}",
    )
