"""What tests need that put files of other users in the way."""

import os

import pytest


@pytest.fixture
def as_root() -> None:
    """Skip where nothing can be given to another user."""
    if os.geteuid() != 0:
        pytest.skip("only root can make files of other users")
