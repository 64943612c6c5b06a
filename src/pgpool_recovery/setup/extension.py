"""Decide which databases lack the extension: where it is called, and where runs are recorded."""

from collections.abc import Iterator

from pgpool_recovery.setup.facts import NodeState, Surroundings
from pgpool_recovery.setup.need import Advice, Item, Need, There
from pgpool_recovery.setup.sql import answers, identifier, literal, on_primary, run_sql

NAME = "extension"
RECORDED_IN = "postgres"
STOCK = "1."
VERSION_OF = (
    "SELECT extversion FROM pg_catalog.pg_extension "
    "WHERE extname OPERATOR(pg_catalog.=) 'pgpool_recovery'"
)


def databases(calling: str) -> tuple[str, ...]:
    """Return the databases that should have it.

    >>> databases("template1"), databases("postgres")
    (('template1', 'postgres'), ('postgres',))
    """
    return tuple(dict.fromkeys((calling, RECORDED_IN)))


def extension(around: Surroundings) -> Iterator[Item]:
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


def _stock_again(database: str, found: tuple[str, str]) -> str:
    version, schema = found
    return on_primary(
        database,
        "CREATE EXTENSION IF NOT EXISTS pgpool_recovery "
        f"WITH SCHEMA {identifier(schema)} VERSION {literal(version)}",
    )
