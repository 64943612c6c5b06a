"""The packages that a stranger downloads."""

from pathlib import Path

import pytest

from packages import deb
from tests.harness.product import Product


@pytest.fixture(scope="session")
def debs(product: Product) -> Path:
    """Return a directory with our packages for Debian, built from the wheels of the product."""
    directory = product.workspace.make("debs")
    deb.build(product.workspace.directory / "wheels", directory)
    return directory
