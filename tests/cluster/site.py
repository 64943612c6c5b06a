"""Names that cases outside this repository import from here; tests/harness/site.py has them."""

from tests.harness.site import on_hosts, write_settings

__all__ = ["on_hosts", "write_settings"]
