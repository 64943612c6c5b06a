"""pgpool_adm works with real Pgpool-II 4.3, 4.7 and in `make test-all` 4.6: a cluster of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from tests.harness.cluster import Cluster, ClusterPlan
from tests.harness.cluster_site import cluster_on_hosts
from tests.harness.pgpool_configuration import PCP_PASSWORD, PCP_USER
from tests.harness.product import Product
from tests.harness.site import install
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import OLDEST_AND_NEWEST_RELEASE, PGPOOL_RELEASES

COUNTED = {
    *("total_count", "success_count", "last_health_check", "last_successful_health_check"),
    *(f"{which}_health_check_duration" for which in ("max", "min", "average")),
}
"""What changes from second to second."""
FOREIGN_SERVER = """
CREATE EXTENSION pgpool_adm;
CREATE FOREIGN DATA WRAPPER pgpool_fdw;
CREATE SERVER pool FOREIGN DATA WRAPPER pgpool_fdw OPTIONS (host '{host}', port '{port}');
CREATE ROLE operator LOGIN;
CREATE USER MAPPING FOR PUBLIC SERVER pool OPTIONS (user '{user}', password '{password}');
"""


@dataclass(frozen=True)
class Site:
    """A cluster whose primary has pgpool_adm and a foreign server for Pgpool-II."""

    cluster: Cluster
    release: tuple[int, int]

    @property
    def address(self) -> str:
        """The arguments of the first form: host, port, user name and password."""
        place = self.cluster.pgpool.place
        return f"'{place.machine.address}', {place.pcp_port}, '{PCP_USER}', '{PCP_PASSWORD}'"

    def connect(self, node_id: int = 0, user: str = "postgres") -> "psycopg.Connection[DictRow]":
        server = self.cluster.node(node_id)
        conninfo = server.conninfo_from_here(user, dbname="postgres")
        return psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)

    def ask(self, call: str, node_id: int = 0) -> list[DictRow]:
        """Return the rows of a function in FROM."""
        with self.connect(node_id) as connection:
            return connection.execute(f"SELECT * FROM {call}").fetchall()

    def status(self, node_id: int) -> str:
        [row] = self.ask(f"pcp_node_info({node_id}, 'pool')")
        return str(row["status"])


@pytest.fixture(scope="module", params=OLDEST_AND_NEWEST_RELEASE)
def site(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[Site]:
    with cluster_on_hosts(workspace, ClusterPlan(postgresql_major=request.param)) as cluster:
        install(cluster, product)
        place = cluster.pgpool.place
        cluster.node(0).execute(
            FOREIGN_SERVER.format(
                host=place.machine.address,
                port=place.pcp_port,
                user=PCP_USER,
                password=PCP_PASSWORD,
            )
        )
        major, minor = PGPOOL_RELEASES[request.param].split(".")
        yield Site(cluster, (int(major), int(minor)))


@pytest.fixture(params=["address", "server"])
def form(request: pytest.FixtureRequest, site: Site) -> str:
    """Return the last arguments of each of the two forms."""
    return site.address if request.param == "address" else "'pool'"


def test_node_count(site: Site, form: str) -> None:
    assert site.ask(f"pcp_node_count({form})") == [{"node_count": 2}]


def test_node_info(site: Site, form: str) -> None:
    def state() -> object:
        return site.ask(f"pcp_node_info(1, {form})")[0]["replication_state"]

    until(lambda: state() == "streaming", within_s=10, what="Pgpool-II to see node 1 streaming")
    standby = site.cluster.node(1)
    [row] = site.ask(f"pcp_node_info(1, {form})")
    assert (row["host"], row["port"]) == (standby.machine.address, standby.port)
    assert row["status"] in ("Connection in use", "Waiting for connection to start")
    assert (row["pg_status"], row["pg_role"]) == ("up", "standby")
    assert (row["role"], row["replication_sync_state"]) == ("Standby", "async")
    assert row["weight"] == pytest.approx(0.5)
    assert row["replication_delay"] >= 0
    with site.connect() as connection:
        age = connection.execute(
            "SELECT localtimestamp - last_status_change < interval '1 hour' AS is_young "
            "FROM pcp_node_info(1, 'pool')"
        ).fetchone()
    assert age == {"is_young": True}
    [primary] = site.ask(f"pcp_node_info(0, {form})")
    assert (primary["role"], primary["replication_state"]) == ("Primary", "")


def test_it_works_on_a_standby(site: Site) -> None:
    until(
        lambda: site.ask("pcp_node_count('pool')", node_id=1) == [{"node_count": 2}],
        within_s=10,
        what="the foreign server to be replicated",
        tolerating=(psycopg.Error,),
    )


def test_health_check_stats(site: Site, form: str) -> None:
    [row] = site.ask(f"pcp_health_check_stats(1, {form})")
    assert (row["node_id"], row["port"]) == (1, site.cluster.node(1).port)
    assert row["total_count"] >= row["success_count"]
    assert row["last_health_check"] is not None
    assert row["last_failed_health_check"] is None
    assert len(row) == 20


def test_pool_status(site: Site, form: str) -> None:
    values = {row["item"]: row["value"] for row in site.ask(f"pcp_pool_status({form})")}
    assert values["recovery_1st_stage_command"] == "recovery_1st_stage"
    assert values["backend_port1"] == str(site.cluster.node(1).port)
    with site.connect() as connection:
        in_list = connection.execute(f"SELECT (pcp_pool_status({form})).item").fetchall()
    assert len(in_list) == len(values)


def test_processes(site: Site, form: str) -> None:
    [count] = site.ask(f"pcp_proc_count({form})")
    assert count["process_count"] == len(set(count["pids"])) == 12
    place = site.cluster.pgpool.place
    sockets = str(place.machine.path(place.sockets))
    with psycopg.connect(host=sockets, port=place.port, dbname="template1", user="postgres"):
        rows = site.ask(f"pcp_proc_info({form})")
    used = [row for row in rows if row["database"] == "template1"]
    assert {row["backend_id"] for row in used} == {"0", "1"}
    assert {(row["username"], row["connected"]) for row in used} == {("postgres", "1")}
    assert {int(row["pid"]) for row in rows} == set(count["pids"])
    assert len(rows[0]) == 20
    assert {row["load_balance_node"] for row in used} == (
        {""} if site.release < (4, 5) else {"0", "1"}
    )


def create_stock_functions(site: Site) -> None:
    """Create the functions of the newest stock version that the package has, in a schema."""
    server = site.cluster.node(0)
    directory = server.machine.path(server.installation.extension_directory)
    *_, newest = sorted(directory.glob("pgpool_adm--1.?.sql"))
    text = newest.read_text().replace("MODULE_PATHNAME", "$libdir/pgpool_adm")
    server.execute(f"CREATE SCHEMA stock; SET search_path = stock; {text}")


def test_rows_are_those_of_the_stock_extension(site: Site) -> None:
    """Values, types, names and order of the columns are equal; counters are not compared."""
    create_stock_functions(site)
    calls = [
        f"pcp_node_count({site.address})",
        f"pcp_node_info(0, {site.address})",
        f"pcp_node_info(1, {site.address})",
        f"pcp_health_check_stats(1, {site.address})",
    ]
    if site.release >= (4, 6):
        calls.append(f"pcp_pool_status({site.address})")
    if site.release >= (4, 7):
        calls.append(f"pcp_proc_info({site.address})")
    for call in calls:
        until(
            partial(says_the_same, site, call),
            within_s=20,  # A status or a delay may change between the two calls.
            what=f"{call} to return the same rows as the stock extension",
        )
    with pytest.raises(psycopg.Error, match="return row do not match"):
        site.ask("stock.pcp_node_info(0, 'pool')")
    site.cluster.node(0).execute("DROP SCHEMA stock CASCADE")


def says_the_same(site: Site, call: str) -> bool:
    ours, stock = (described(site, f"{schema}.{call}") for schema in ("public", "stock"))
    return ours == stock


def described(site: Site, call: str) -> tuple[list[tuple[str, int]], list[dict[str, object]]]:
    """Return the columns of a call with their types, and its rows without the counters."""
    with site.connect() as connection:
        cursor = connection.execute(f"SELECT * FROM {call}")
        columns = [(column.name, column.type_code) for column in cursor.description or []]
        rows = [
            {name: value for name, value in row.items() if name not in COUNTED} for row in cursor
        ]
    return columns, rows


def test_refusals_are_those_of_pgpool(site: Site, form: str) -> None:
    with site.connect() as connection:
        with pytest.raises(psycopg.errors.InternalError_) as caught:
            connection.execute(f"SELECT pcp_node_info(77, {form})")
        assert caught.value.diag.message_primary == "informing node info failed"
        assert caught.value.diag.message_detail == "invalid node ID : 77"
        with pytest.raises(psycopg.errors.InternalError_) as caught:
            connection.execute(f"SELECT pcp_watchdog_info({form})")
        assert caught.value.diag.message_detail == "watchdog is not enabled"
        with pytest.raises(psycopg.errors.InternalError_, match="node id: 1 is alive"):
            connection.execute(f"SELECT pcp_recovery_node(1, {form})")


def test_wrong_password_is_refused_and_in_no_log(site: Site) -> None:
    address = site.address.replace(PCP_PASSWORD, "wr0ng-secret")
    with site.connect() as connection, pytest.raises(psycopg.errors.InvalidPassword) as caught:
        connection.execute(f"SELECT pcp_node_count({address})")
    assert f'authentication failed for user "{PCP_USER}"' in str(caught.value)
    assert "wr0ng-secret" not in str(caught.value)
    server_log = site.cluster.node(0).log_text()
    assert f'authentication failed for user "{PCP_USER}"' in server_log
    assert "wr0ng-secret" not in server_log


def test_any_role_with_a_mapping_may_observe(site: Site) -> None:
    with site.connect(user="operator") as connection:
        row = connection.execute("SELECT pcp_node_count('pool')").fetchone()
        assert row == {"pcp_node_count": 2}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT pcp_detach_node(1, false, 'pool')")


def test_password_of_the_pass_file(site: Site) -> None:
    primary = site.cluster.node(0)
    machine, file = primary.machine, primary.machine.home / ".pcppass"
    machine.write_file(file, f"*:*:{PCP_USER}:{PCP_PASSWORD}\n", mode=0o600)
    address = site.address.replace(PCP_PASSWORD, "")
    assert site.ask(f"pcp_node_count({address})") == [{"node_count": 2}]
    with (
        site.connect(user="operator") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="password is required"),
    ):
        connection.execute(f"SELECT pcp_node_count({address})")
    # This role may use the pass file as well, since a superuser chose the foreign server's host.
    primary.execute(f"CREATE USER MAPPING FOR operator SERVER pool OPTIONS (user '{PCP_USER}')")
    with site.connect(user="operator") as connection:
        row = connection.execute("SELECT pcp_node_count('pool')").fetchone()
    assert row == {"pcp_node_count": 2}
    machine.path(file).unlink()
    with (
        site.connect(user="operator") as connection,
        pytest.raises(psycopg.errors.InvalidPassword, match="no password for PCP user"),
    ):
        connection.execute("SELECT pcp_node_count('pool')")
    primary.execute("DROP USER MAPPING FOR operator SERVER pool")


def test_detach_and_attach(site: Site, form: str) -> None:
    assert site.ask(f"pcp_detach_node(1, false, {form})") == [{"node_detached": True}]
    until(lambda: site.status(1) == "Disconnected", within_s=30, what="node 1 to be detached")
    assert site.ask(f"pcp_attach_node(1, {form})") == [{"node_attached": True}]
    until(lambda: site.status(1) != "Disconnected", within_s=30, what="node 1 to be attached")


def test_detach_gracefully(site: Site) -> None:
    """Pgpool-II detaches a node gracefully, once its clients have disconnected.

    The test waits until Pgpool-II has settled, because a restart of PCP may keep the process that
    waits for the clients from noticing that it can go on.
    """
    if site.release < (4, 5):
        pytest.skip("Pgpool-II up to 4.4 may wait for itself forever")
    site.cluster.pgpool.wait_until_settled()
    assert site.ask("pcp_detach_node(1, true, 'pool')") == [{"node_detached": True}]
    until(lambda: site.status(1) == "Disconnected", within_s=60, what="node 1 to be detached")
    site.ask("pcp_attach_node(1, 'pool')")
    until(lambda: site.status(1) != "Disconnected", within_s=30, what="node 1 to be attached")


def test_recovery_with_its_lines(site: Site) -> None:
    site.cluster.node(1).stop()
    site.ask("pcp_detach_node(1, false, 'pool')")
    until(lambda: site.status(1) == "Disconnected", within_s=30, what="node 1 to be detached")
    told: list[str] = []
    with site.connect() as connection:
        connection.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
        row = connection.execute("SELECT pcp_recovery_node(1, 'pool')").fetchone()
    assert row == {"pcp_recovery_node": True}
    assert told[0] == "starting recovering node 1"
    assert told[-1] == "recovery done"
    until(lambda: site.status(1) != "Disconnected", within_s=60, what="node 1 to be attached")


def test_configuration_is_read_again(site: Site, form: str) -> None:
    def delay() -> str:
        rows = site.ask("pcp_pool_status('pool')")
        return str(next(row["value"] for row in rows if row["item"] == "health_check_retry_delay"))

    pgpool = site.cluster.pgpool
    path = pgpool.place.machine.path(pgpool.place.directory / "pgpool.conf")
    new = "2" if delay() == "1" else "1"
    lines = [line for line in path.read_text().splitlines() if "check_retry_delay" not in line]
    path.write_text("\n".join([*lines, f"health_check_retry_delay = '{new}'", ""]))
    assert site.ask(f"pcp_reload_config(false, {form})") == [{"config_reloaded": True}]
    until(lambda: delay() == new, within_s=20, what="the configuration to be read again")


def test_promotion(site: Site) -> None:
    """After the promotion, the new primary can use the same foreign server."""
    assert site.ask("pcp_promote_node(1, false, true, 'pool')") == [{"node_promoted": True}]
    until(
        lambda: site.ask("pcp_node_info(1, 'pool')", node_id=1)[0]["role"] == "Primary",
        within_s=60,
        what="node 1 to be the primary",
        tolerating=(psycopg.Error,),
    )
    assert site.cluster.node(1).is_in_recovery is False


def wait_for_children(site: Site) -> None:
    """Wait until child processes no longer restart; otherwise 4.6 may wait for one forever."""
    seen: list[object] = []

    def are_the_same_as_before() -> bool:
        seen.append(site.ask("pcp_proc_count('pool')", node_id=1)[0]["pids"])
        return len(seen) > 1 and seen[-2] == seen[-1]

    until(are_the_same_as_before, within_s=20, every_s=0.5, what="the end of child restarts")


def test_stop_is_the_last_thing(site: Site) -> None:
    """This test runs last in each cluster, because it stops Pgpool-II."""
    wait_for_children(site)
    stopped = site.ask("pcp_stop_pgpool('fast', false, 'pool')", node_id=1)
    assert stopped == [{"pgpool_stopped": True}]
    until(lambda: not site.cluster.pgpool.is_running, within_s=20, what="Pgpool-II to end")
    with pytest.raises(psycopg.OperationalError, match="could not connect to Pgpool-II at"):
        site.ask("pcp_node_count('pool')", node_id=1)
