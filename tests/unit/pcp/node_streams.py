"""The answer about a node in every form of Pgpool-II 3.7 to 4.7."""

from dataclasses import dataclass

from tests.unit.pcp.stream import one, rows

HALF_WEIGHT = "1073741823.500000"
CHANGED_AT = "1795509016"
STATES = ("streaming", "async")


@dataclass(frozen=True)
class NodeStream:
    """The releases with a form, its fields for a standby that is down, and their meaning."""

    releases: str
    fields: tuple[str, ...]
    is_array: bool = False
    lag_bytes: int | None = 123
    lag_s: float | None = None
    has_states: bool = True

    @property
    def in_quarantine(self) -> bool:
        return self.fields[:4] == QUARANTINE

    @property
    def answer(self) -> bytes:
        return rows("i", "NodeInfo", self.fields) if self.is_array else one("i", *self.fields)


PLACE = ("server1", "5433", "3")
SEEN = ("down", HALF_WEIGHT, "3", "unknown")
OWN = (HALF_WEIGHT, "3")

QUARANTINE = (*PLACE, "1")
BOTH = ("123", *STATES, CHANGED_AT)

NODE_STREAMS = [
    NodeStream("3.7", (*PLACE, *OWN), lag_bytes=None, has_states=False),
    NodeStream("4.0.0", (*PLACE, *OWN, "123", CHANGED_AT), has_states=False),
    NodeStream("4.0.25", (*QUARANTINE, *OWN, "123", CHANGED_AT), has_states=False),
    NodeStream("4.1.0 and 4.2.0", (*PLACE, *OWN, *BOTH)),
    NodeStream("4.1.23 and 4.2.24", (*QUARANTINE, *OWN, *BOTH)),
    NodeStream("4.3.0", (*PLACE, *SEEN, *BOTH), is_array=True),
    NodeStream("4.3.1", (*QUARANTINE, *SEEN, *BOTH), is_array=True),
    NodeStream("4.4 to 4.7, in bytes", (*PLACE, "0", *SEEN, "0", *BOTH), is_array=True),
    NodeStream(
        "4.4 to 4.7, by time",
        (*PLACE, "0", *SEEN, "1", "1500000", *STATES, CHANGED_AT),
        is_array=True,
        lag_bytes=None,
        lag_s=1.5,
    ),
]
