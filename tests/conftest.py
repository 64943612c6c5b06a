"""Fixtures for all tests that need hosts."""

from collections.abc import Iterator

import pytest

from tests.harness.host import why_no_hosts
from tests.harness.product import Product, build_product
from tests.harness.workspace import Workspace


@pytest.fixture(scope="session")
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


@pytest.fixture(scope="session")
def product(workspace: Workspace) -> Product:
    """Return our wheel, installed as a user would install it."""
    return build_product(workspace)


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skip the test where hosts cannot be created."""
    reason = why_no_hosts()
    if reason is not None:
        pytest.skip(f"hosts need to make namespaces and mounts: {reason}")
