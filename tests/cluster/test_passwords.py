"""A role that may only call the functions learns no password by naming hosts (promise 13)."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.password_trap import PasswordTrap, password_trap
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.site import FIRST_STAGE, assert_recovered, on_hosts, settings
from tests.harness.workspace import Workspace
from tests.majors import needs_postgresql

WATCHER = "watcher"
FUNCTIONS = (
    "pgpool_recovery_plan(text, text, text, integer, text, text)",
    "pgpool_recovery_check(jsonb)",
    "pgpool_recovery(text, text, text, text, integer, text, text)",
    "pgpool_remote_start(text, text)",
)
PLAN = "SELECT pgpool_recovery_plan(%s, %s, %s, %s, %s, %s)"
KNOWS_REQUIRE_AUTH = 17
NOT_KNOWN = "is not known to be this server"


@pytest.fixture(scope="module")
def cluster(workspace: Workspace, product: Product, namespaces: None) -> Iterator[Cluster]:
    """Yield a cluster whose password file has all passwords, for any host."""
    with on_hosts(workspace, product, ClusterPlan(authentication="scram-sha-256")) as made:
        let_in(made.primary)
        yield made


@pytest.fixture(scope="module")
def trap(cluster: Cluster) -> Iterator[PasswordTrap]:
    """Yield a server on the clients' host that asks for a password in clear text."""
    with password_trap(cluster.client) as made:
        yield made


def let_in(primary: Server) -> None:
    """Create the role that may only call the functions."""
    primary.execute(f"CREATE ROLE {WATCHER} LOGIN")
    primary.execute(f"CREATE SCHEMA {WATCHER} AUTHORIZATION {WATCHER}")
    for function in FUNCTIONS:
        primary.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {WATCHER}")


def session(cluster: Cluster, user: str = WATCHER) -> psycopg.Connection[TupleRow]:
    where = cluster.primary.conninfo_from_here(user, dbname="postgres")
    return psycopg.connect(where, autocommit=True)


def words(cluster: Cluster, host: str, port: int | None = None) -> tuple[Any, ...]:
    """Return Pgpool-II's arguments for a recovery of node 1, with another host as the primary."""
    node, primary = cluster.node(1), cluster.primary
    return (
        node.machine.address,
        str(node.data_directory),
        str(port or primary.port),
        1,
        str(node.port),
        host,
    )


def plan(cluster: Cluster, host: str, port: int | None = None, user: str = WATCHER) -> Any:
    with session(cluster, user) as connection:
        row = connection.execute(PLAN, words(cluster, host, port)).fetchone()
    assert row is not None
    return row[0]


def reasons(made: Any) -> list[str]:
    return [reason["message"] for reason in made["reasons"]]


def check(cluster: Cluster, hosts: list[tuple[str, int]]) -> list[tuple[str, str]]:
    nodes = [
        {
            "node_id": number,
            "host": host,
            "port": port,
            "data_directory": str(cluster.node(min(number, 1)).data_directory),
        }
        for number, (host, port) in enumerate(hosts)
    ]
    with session(cluster) as connection:
        asked = "SELECT severity, fact FROM pgpool_recovery_check(%s)"
        return connection.execute(asked, (json.dumps(nodes),)).fetchall()


def test_promise_13_plan_sends_no_password_where_the_caller_says(
    cluster: Cluster, trap: PasswordTrap
) -> None:
    trap.empty()
    made = plan(cluster, trap.machine.address)
    assert trap.lines == []
    assert not made["possible"]
    assert NOT_KNOWN in reasons(made)[0]
    assert "[node.N]" in made["reasons"][0]["hint"]


def test_promise_13_plan_sends_no_password_to_a_port_or_a_socket_that_the_caller_names(
    cluster: Cluster,
) -> None:
    primary = cluster.primary.machine
    with password_trap(primary, 7777) as own:
        made = plan(cluster, primary.address, 7777)
        assert own.lines == ["ready"]
    assert NOT_KNOWN in reasons(made)[0]
    assert NOT_KNOWN in reasons(plan(cluster, "/tmp"))[0]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="invalid host name"):
        plan(cluster, f"{primary.address},{cluster.client.address}")


def test_promise_13_directory_of_another_user_names_no_host(
    cluster: Cluster, trap: PasswordTrap
) -> None:
    """A local user of the node's host can write any primary_conninfo, but not in the node's data.

    Here that user creates what an interrupted recovery would have left of a node without data.
    """
    trap.empty()
    machine, theirs = cluster.node(1).machine, "/tmp/theirs"
    machine.make_directory(theirs, owner="nobody", mode=0o777)
    machine.write_file(
        f"{theirs}/data.pgpool_recovery/own/postgresql.conf",
        f"primary_conninfo = 'host={trap.machine.address} user=repl'\n",
        owner="nobody",
        mode=0o644,
    )
    given = list(words(cluster, trap.machine.address))
    given[1] = f"{theirs}/data"
    with session(cluster) as connection:
        row = connection.execute(PLAN, given).fetchone()
    assert row is not None
    assert not row[0]["possible"]
    assert trap.lines == []


def test_promise_13_recovery_sends_no_password_where_the_caller_says(
    cluster: Cluster, trap: PasswordTrap
) -> None:
    trap.empty()
    cluster.node(1).stop()
    with session(cluster) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(
            f"SELECT pgpool_recovery('{FIRST_STAGE}', %s, %s, %s, %s, %s, %s)",
            words(cluster, trap.machine.address),
        )
    cluster.node(1).start()
    assert NOT_KNOWN in str(caught.value)
    assert trap.lines == []


def test_promise_13_check_sends_no_password_where_the_caller_says(
    cluster: Cluster, trap: PasswordTrap
) -> None:
    trap.empty()
    hosts = [(str(cluster.node(number).machine.address), 5432) for number in (0, 1)]
    found = check(cluster, [*hosts, (trap.machine.address, 5432)])
    assert trap.lines == []
    with password_trap(cluster.node(0).machine, 7777) as own:
        found += check(cluster, [(hosts[0][0], 7777), hosts[1]])
        assert own.lines == ["ready"]
    assert any("node 1 did not try to log in to node 0" in fact for _, fact in found), found


def test_promise_13_no_session_of_a_superuser_lends_its_name(
    cluster: Cluster, trap: PasswordTrap
) -> None:
    """Maintenance commands run a role's expressions as that role, but in a superuser's session."""
    trap.empty()
    arguments = ", ".join(
        str(word) if isinstance(word, int) else f"'{word}'"
        for word in words(cluster, trap.machine.address)
    )
    call = f"public.pgpool_recovery_plan({arguments})"
    body = f"$$ BEGIN PERFORM {call}; RETURN $1; END $$"
    with session(cluster) as connection:
        connection.execute(
            f"CREATE FUNCTION {WATCHER}.ask(integer) RETURNS integer "
            f"LANGUAGE plpgsql IMMUTABLE AS {body}"
        )
        connection.execute(f"CREATE TABLE {WATCHER}.bait AS SELECT 1 AS a")
        connection.execute(f"CREATE INDEX ON {WATCHER}.bait ({WATCHER}.ask(a))")
        connection.execute(f"CREATE MATERIALIZED VIEW {WATCHER}.view AS SELECT {call} AS made")
    cluster.primary.execute(f"ANALYZE {WATCHER}.bait")
    cluster.primary.execute(f"REINDEX TABLE {WATCHER}.bait")
    cluster.primary.execute(f"REFRESH MATERIALIZED VIEW {WATCHER}.view")
    [[made]] = cluster.primary.sql(f"SELECT made FROM {WATCHER}.view")
    assert NOT_KNOWN in made
    assert trap.lines == []
    with session(cluster, "postgres") as connection:
        connection.execute(f"SET ROLE {WATCHER}")
        row = connection.execute(PLAN, words(cluster, trap.machine.address)).fetchone()
    assert row is not None
    assert NOT_KNOWN in reasons(row[0])[0]
    assert trap.lines == []


@pytest.mark.parametrize("host", ["address", "node0", "localhost"])
def test_honest_words_of_such_a_role_are_enough_for_a_plan(cluster: Cluster, host: str) -> None:
    named = str(cluster.primary.machine.address) if host == "address" else host
    made = plan(cluster, named)
    assert made["possible"], made


def test_honest_check_of_such_a_role_finds_what_a_superuser_would(cluster: Cluster) -> None:
    hosts = [(str(cluster.node(number).machine.address), 5432) for number in (0, 1)]
    found = check(cluster, hosts)
    assert {severity for severity, _ in found} <= {"ok", "info", "warning"}, found
    assert not any("log in" in fact for _, fact in found), found
    assert sum("would come back by" in fact for _, fact in found) == 2, found


def test_such_a_role_recovers_a_node(cluster: Cluster) -> None:
    cluster.node(1).stop()
    cluster.pgpool.wait_for_node(1, "down")
    given = words(cluster, str(cluster.primary.machine.address))
    with session(cluster) as connection:
        connection.execute(
            f"SELECT pgpool_recovery('{FIRST_STAGE}', %s, %s, %s, %s, %s, %s)", given
        )
        connection.execute("SELECT pgpool_remote_start(%s, %s)", given[:2])
    cluster.pgpool.attach_node(1)
    cluster.pgpool.wait_for_node(1, "up")
    assert_recovered(cluster, 1)


def test_host_that_the_settings_name_is_trusted(cluster: Cluster, trap: PasswordTrap) -> None:
    trap.empty()
    with settings(cluster, f'[node.0]\nhost = "{trap.machine.address}"\n'):
        made = plan(cluster, trap.machine.address)
    assert "repl" in trap.visitors
    assert made["possible"], "the node can also log in as its own primary_conninfo says"


@needs_postgresql(KNOWS_REQUIRE_AUTH)
def test_clear_text_is_never_sent_if_libpq_can_prevent_it(
    workspace: Workspace, product: Product, namespaces: None
) -> None:
    """It is not even sent to a host that a superuser names, since libpq 16 has require_auth."""
    plan_of_cluster = ClusterPlan(
        authentication="scram-sha-256", postgresql_major=KNOWS_REQUIRE_AUTH
    )
    with (
        on_hosts(workspace, product, plan_of_cluster) as cluster,
        password_trap(cluster.client) as trap,
    ):
        plan(cluster, trap.machine.address, user="postgres")
        assert "repl" in trap.visitors
        assert trap.passwords == []
        own = str(cluster.primary.machine.address)
        assert plan(cluster, own, user="postgres")["possible"]
        # A cluster whose own pg_hba.conf asks for clear text keeps working, without any setting.
        cluster.primary.allow(f"host replication repl {cluster.client.network} password")
        assert plan(cluster, own, user="postgres")["possible"]
