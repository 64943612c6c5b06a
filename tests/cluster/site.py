"""What cases outside this repository take from here; it stands in tests/harness/site.py."""

from tests.harness.site import on_hosts, write_settings

__all__ = ["on_hosts", "write_settings"]
