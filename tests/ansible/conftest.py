"""The packages that are installed, as for `setup`, and Ansible."""

from pathlib import Path

import pytest

from tests.harness.workspace import Workspace
from tests.setup.conftest import debs

from .galaxy import install_ansible

__all__ = ["debs", "place"]


@pytest.fixture(scope="session")
def place(workspace: Workspace) -> Path:
    """Return where Ansible is installed."""
    return install_ansible(workspace)
