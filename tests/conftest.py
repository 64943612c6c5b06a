"""Settings of Hypothesis, and fixtures for all tests that need hosts."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests.harness.host import why_no_hosts
from tests.harness.product import Product, build_product
from tests.harness.workspace import Workspace
from tests.majors import skip_without_postgresql

# How long drawing and running an example takes depends on what else the machine does.
hypothesis_settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        skip_without_postgresql(item)


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
