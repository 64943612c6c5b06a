"""A primary and its standbys, on each PostgreSQL major that has incremental backups."""

from collections.abc import Iterator

import pytest

from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.harness.workspace import Workspace
from tests.incremental.site import servers_on_hosts
from tests.majors import in_whole_matrix, needs_postgresql

MAJORS = [
    *(pytest.param(major, marks=needs_postgresql(major)) for major in (17, 18)),
    pytest.param(19, marks=in_whole_matrix(19)),
]


@pytest.fixture(params=MAJORS)
def major(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


@pytest.fixture
def two(
    workspace: Workspace, product: Product, namespaces: None, major: int
) -> Iterator[list[Server]]:
    """A primary and one standby."""
    with servers_on_hosts(workspace, product, major) as servers:
        yield servers


@pytest.fixture
def three(
    workspace: Workspace, product: Product, namespaces: None, major: int
) -> Iterator[list[Server]]:
    """A primary and two standbys."""
    with servers_on_hosts(workspace, product, major, standbys=2) as servers:
        yield servers
