"""Count what a host receives while something happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .host import Host


@dataclass
class Traffic:
    """The bytes that a host received between the start and the end of the count."""

    host: Host
    began_at_bytes: int
    ended_at_bytes: int | None = None

    @property
    def received_bytes(self) -> int:
        """The bytes received so far, or until the end of the count."""
        now = self.host.received_bytes() if self.ended_at_bytes is None else self.ended_at_bytes
        return now - self.began_at_bytes


@contextmanager
def counting(host: Host) -> Iterator[Traffic]:
    """Count for as long as the context lasts.

    with counting(cluster.host(1)) as traffic:
        cluster.recover(1)
    print(traffic.received_bytes)
    """
    traffic = Traffic(host, host.received_bytes())
    try:
        yield traffic
    finally:
        traffic.ended_at_bytes = host.received_bytes()
