"""A server of our own, with an installation of its own, for the tests of the extension."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import Site, build_servers
from tests.harness.installation import Installation, copied_installation
from tests.harness.local_host import LocalHost
from tests.harness.machine import Machine
from tests.harness.network import Network
from tests.harness.postgresql import Server
from tests.harness.product import Product, create_extension, install_extension
from tests.harness.system import OWN_SYSTEM, system_with
from tests.harness.workspace import Workspace
from tests.majors import OLDEST_AND_NEWEST_RELEASE, in_whole_matrix, needs_postgresql

ALL = [
    pytest.param(15, marks=needs_postgresql(15)),
    pytest.param(16, marks=in_whole_matrix(16)),
    pytest.param(17, marks=in_whole_matrix(17)),  # Inside a server it is like 18.
    pytest.param(18, marks=needs_postgresql(18)),
    pytest.param(19, marks=in_whole_matrix(19)),
]
on_each_major = pytest.mark.parametrize("major", ALL, indirect=True, scope="module")
on_each_with_stock = pytest.mark.parametrize(
    "major", OLDEST_AND_NEWEST_RELEASE, indirect=True, scope="module"
)


@pytest.fixture(scope="module")
def major(request: pytest.FixtureRequest) -> int | None:
    """The major of this machine's own PostgreSQL, except for tests that run `on_each_major`."""
    return getattr(request, "param", None)


@pytest.fixture(scope="module")
def machine(
    workspace: Workspace, request: pytest.FixtureRequest, major: int | None
) -> Iterator[Machine]:
    """This machine if it has the major, otherwise a host of a system that does."""
    system = system_with(major)
    if system == OWN_SYSTEM:
        with LocalHost(workspace) as local_host:
            yield local_host
    else:
        request.getfixturevalue("namespaces")
        with Network(["server"], systems={"server": system}) as network:
            yield network.host("server")


@pytest.fixture(scope="module")
def installation(
    workspace: Workspace, request: pytest.FixtureRequest, machine: Machine, major: int | None
) -> Installation:
    """An installation that tests may change, fresh for each file of tests."""
    if machine.system != OWN_SYSTEM:
        return machine.system.installation(major)
    name = request.path.stem
    return copied_installation(workspace.directory / f"installation-of-{name}", major)


@pytest.fixture(scope="module")
def stock_server(
    workspace: Workspace, machine: Machine, installation: Installation
) -> Iterator[Server]:
    """A server that knows only the stock extension of Debian's package."""
    site = Site([machine], machine, machine, installation)
    (server,) = build_servers(workspace, ClusterPlan(standbys=0), site)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def server(stock_server: Server, product: Product) -> Server:
    """The server with our extension, in template1 and postgres."""
    install_extension(stock_server.machine, stock_server.installation, product)
    create_extension(stock_server)
    return stock_server


@pytest.fixture
def connection(server: Server) -> Iterator[psycopg.Connection]:
    """A session of a superuser, in autocommit mode."""
    with psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection:
        yield connection


def write_script(server: Server, text: str, name: str = "stage") -> Path:
    """Write a stage script to the data directory."""
    path = server.data_directory / name
    server.machine.write_file(path, f"#!/bin/sh\n{text}\n", mode=0o700)
    return path
