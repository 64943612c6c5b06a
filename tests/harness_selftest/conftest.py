"""Fixtures for the harness's own tests."""

from collections.abc import Iterator

import pytest

from tests.harness.local_host import LocalHost
from tests.harness.network import Network
from tests.harness.workspace import Workspace


@pytest.fixture
def network(namespaces: None) -> Iterator[Network]:
    with Network(["alpha", "beta", "gamma"]) as network:
        yield network


@pytest.fixture
def local_host(workspace: Workspace) -> Iterator[LocalHost]:
    with LocalHost(workspace) as machine:
        yield machine
