"""A stale standby whose WAL is gone becomes equal to its primary, whatever happened meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.harness.clean_stop import both_stopped
from tests.harness.gap import EVERYTHING, Ground, happen, prepare, settings_for
from tests.harness.pages import compare_pages
from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.relation import read_catalog
from tests.harness.workspace import Workspace
from tests.incremental.site import Recovery, assert_equal, make_gap, servers_on_hosts


@pytest.fixture
def servers(
    workspace: Workspace, product: Product, namespaces: None, major: int
) -> Iterator[list[Server]]:
    settings = settings_for(EVERYTHING)
    with servers_on_hosts(workspace, product, major, settings=settings) as made:
        yield made


@contextmanager
def write_load(primary: Server) -> Iterator[None]:
    """Make two clients write to a primary all the time."""
    machine, log = primary.machine, primary.machine.home / "pgbench.log"
    program = primary.installation.program("pgbench")
    where = ["-h", str(machine.socket_directory), "-p", str(primary.port), "-U", "postgres"]
    machine.run([program, *where, "-i", "-s", "2", "postgres"])
    clients = machine.spawn([program, *where, "-c", "2", "-T", "600", "postgres"], log=log)
    yield
    assert clients.is_alive, machine.path(log).read_text()
    clients.terminate()
    clients.wait(10)


def test_everything_in_the_gap_and_a_load_meanwhile(
    servers: list[Server], product: Product
) -> None:
    """The target equals the primary in every page, and in everything that a query can read.

    Pages are compared first. Reading on the primary may log full page images, which would replace
    wrong pages of the target.
    """
    primary, target = servers
    ground = Ground(primary, [target])
    prepare(ground, EVERYTHING)
    target.stop()
    happen(ground, EVERYTHING)
    make_gap(primary, target)
    oids = primary.sql("SELECT oid, spcname FROM pg_tablespace WHERE spcname LIKE 'gap%'")
    locations = {int(oid): str(ground.location(name)) for oid, name in oids}
    with write_load(primary):
        Recovery(primary, target, product, locations=locations, verify_pages=True).run()
    catalog = read_catalog(primary)
    with both_stopped(primary, target):
        differences = compare_pages(primary, target, catalog)
    assert differences == []
    assert_equal(primary, target)
