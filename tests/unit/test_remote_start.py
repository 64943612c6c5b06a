"""What is seen to before the server of a prepared node is started."""

from typing import Any, cast

import pytest

from pgpool_recovery import remote_start
from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Incomplete
from pgpool_recovery.domain.record import replace
from pgpool_recovery.domain.wal import Lsn, Point, TimelineId
from pgpool_recovery.facts.archived_wal import FetchedWal, WalTrial
from pgpool_recovery.facts.facts import Base, LocalWal
from pgpool_recovery.talk.request.directory import Observe
from pgpool_recovery.talk.request.host import TryArchive
from pgpool_recovery.talk.request.server import ReadSlotName
from tests.unit.plan.situation import SEGMENT, TARGET, primary, target, wal

STOPPED = Point(TimelineId(1), Lsn(50 * SEGMENT))


class Agent:
    """The agent of a prepared node that needs segment 50, and reads an archive."""

    def __init__(self, *, brings: bool) -> None:
        self.brings = brings

    def ask(self, request: Any, **_: object) -> Any:
        match request:
            case ReadSlotName():
                return "pgpool_node_1"
            case Observe():
                own = target().configuration
                assert own is not None
                own = replace(own, values={**own.values, "restore_command": "cp /archive/%f %p"})
                return target(configuration=own, local_wal=LocalWal(Base(STOPPED, STOPPED), 50))
            case TryArchive(wanted=wanted):
                head = "00" if self.brings else None
                return WalTrial(
                    tuple(FetchedWal(one.name, head, problem="exit status 1") for one in wanted)
                )
        raise AssertionError(request)


@pytest.mark.parametrize("brings", [True, False])
@pytest.mark.parametrize("oldest", [50, 80])
def test_wal_that_was_lost_with_the_slot_must_come_from_the_archive(
    monkeypatch: pytest.MonkeyPatch, oldest: int, *, brings: bool
) -> None:
    """A server that would wait for it forever is not started."""
    monkeypatch.setattr(remote_start, "replace_ended", lambda *_: True)
    monkeypatch.setattr(remote_start, "read_wal", lambda _: wal(oldest_segment=oldest))
    agent, none = cast("Any", Agent(brings=brings)), cast("Any", None)

    def see() -> None:
        remote_start.see_slot(none, agent, TARGET, primary(), Settings(), none)

    if oldest == 50 or brings:
        see()
        return
    with pytest.raises(Incomplete, match="from 0/32000000 on timeline 1 on, which node 1") as told:
        see()
    assert str(told.value.detail).endswith(
        "Its restore_command did not bring 000000010000000000000032: exit status 1."
    )
