"""On a standby, all functions but those that control the server refuse with a clear message."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import Site, build_servers
from tests.harness.installation import Installation
from tests.harness.local_host import LocalHost
from tests.harness.postgresql import Server
from tests.harness.product import Product, create_extension, install_extension
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.server.conftest import write_script


@pytest.fixture(scope="module")
def standby(
    workspace: Workspace, machine: LocalHost, installation: Installation, product: Product
) -> Iterator[Server]:
    site = Site([machine, machine], machine, machine, installation)
    primary, standby = build_servers(workspace, ClusterPlan(), site)
    install_extension(machine, installation, product)
    create_extension(primary)
    until(
        lambda: standby.sql("SELECT 1 FROM pg_extension WHERE extname = 'pgpool_recovery'"),
        within_s=20,
        what="the extension to be replicated",
    )
    yield standby
    standby.kill()
    primary.kill()


@pytest.mark.parametrize(
    "call",
    [
        "pgpool_recovery('stage', 'host', '/data')",
        "pgpool_recovery('stage', 'host', '/data', '5432', 1, '5432', 'primary')",
        "pgpool_remote_start('host', '/data')",
        "pgpool_switch_xlog('/tmp')",
    ],
)
def test_refuses(standby: Server, call: str) -> None:
    write_script(standby, "touch was_run")
    write_script(standby, "touch was_run", "pgpool_remote_start")
    with (
        psycopg.connect(standby.conninfo(dbname="postgres"), autocommit=True) as connection,
        pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as caught,
    ):
        connection.execute(f"SELECT {call}")
    assert caught.value.diag.message_primary == "recovery is in progress"
    assert "this server is a standby" in (caught.value.diag.message_detail or "")
    assert not (standby.data_directory / "was_run").exists()


def test_refusal_reaches_pgpool_log(standby: Server) -> None:
    """The refusal is also a warning, because Pgpool-II logs warnings but discards the error."""
    said: list[str | None] = []
    with psycopg.connect(standby.conninfo(dbname="postgres"), autocommit=True) as connection:
        connection.add_notice_handler(lambda diagnostic: said.append(diagnostic.message_primary))
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            connection.execute("SELECT pgpool_recovery('stage', 'host', '/data')")
    assert said == ["recovery is in progress"]


def test_control_works_and_promotes(standby: Server) -> None:
    assert standby.sql("SELECT pgpool_pgctl('status', '')") == [("t",)]
    assert standby.sql("SELECT pgpool_pgctl('reload', '')") == [("t",)]
    assert standby.sql("SELECT pgpool_pgctl('promote', '')") == [("t",)]
    assert not standby.is_in_recovery
