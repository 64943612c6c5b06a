"""Fixtures for the harness's own tests."""

from collections.abc import Iterator

import pytest

from tests.harness.host import why_no_hosts
from tests.harness.local_host import LocalHost
from tests.harness.network import Network
from tests.harness.workspace import Workspace


@pytest.fixture(scope="session")
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skips the test where hosts cannot be made."""
    reason = why_no_hosts()
    if reason is not None:
        pytest.skip(f"hosts need to make namespaces and mounts: {reason}")


@pytest.fixture
def network(namespaces: None) -> Iterator[Network]:
    with Network(["alpha", "beta", "gamma"]) as network:
        yield network


@pytest.fixture
def local_host(workspace: Workspace) -> Iterator[LocalHost]:
    with LocalHost(workspace) as machine:
        yield machine
