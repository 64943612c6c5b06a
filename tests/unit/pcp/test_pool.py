"""PCP failures as recovery errors, and the wait for a node's status."""

from pathlib import Path

import pytest

from pgpool_recovery.domain.error import (
    Busy,
    Incomplete,
    RecoveryError,
    Refused,
    Unreachable,
    Unverified,
    UsageError,
)
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.pcp.client.address import PcpAddress
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.client.field import notice_of
from pgpool_recovery.pcp.client.pcp_error import PcpError, malformed, wrong_parameter
from pgpool_recovery.pcp.pool import Pool, as_recovery_error
from tests.unit.pcp.byte_server import answering, byte_server
from tests.unit.pcp.conversation import PASSWORD
from tests.unit.pcp.node_streams import NODE_STREAMS
from tests.unit.pcp.stream import one, rows, said

DOWN = NODE_STREAMS[-1].fields
UP = (*DOWN[:2], "1", *DOWN[3:])


def refusal(message: str, detail: str | None = None) -> PcpError:
    notice = notice_of(said(message, detail=detail)[5:])
    return PcpError(message, detail, None, notice.sqlstate, notice)


KINDS = [
    (PcpError("could not connect", sqlstate="08001"), Unreachable, "untouched"),
    (malformed("It is none."), Unreachable, "untouched"),
    (wrong_parameter("node id -1 is not valid"), UsageError, "untouched"),
    (refusal("node recovery failed, node id: 1 is alive"), Refused, "untouched"),
    (
        refusal(
            "process recovery request failed",
            "pgpool-II is already processing another recovery request.",
        ),
        Busy,
        "untouched",
    ),
    (
        refusal("process recovery request failed", "node id 7 is not valid"),
        Refused,
        "untouched",
    ),
    (
        refusal("failed to process PCP request at the moment", "failover is in progress"),
        Busy,
        "untouched",
    ),
    (
        refusal('executing recovery, execution of command failed at "1st stage"'),
        Incomplete,
        "in a state that could not be learnt",
    ),
    (
        refusal('executing remote start failed with error: "pgpool_remote_start failed"'),
        Incomplete,
        "in a state that could not be learnt",
    ),
]


@pytest.mark.parametrize(("error", "kind", "target"), KINDS)
def test_failures_have_their_exit_status(
    error: PcpError, kind: type[RecoveryError], target: str
) -> None:
    translated = as_recovery_error(error)
    assert type(translated) is kind
    assert translated.target is TargetState(target)
    assert (translated.message, translated.detail) == (error.message, error.detail)


def test_login_that_fails_is_unreachable(tmp_path: Path) -> None:
    error = PcpError("authentication failed", sqlstate="28P01", answer=notice_of(b"Mx\0\0"))
    assert type(as_recovery_error(error)) is Unreachable


def test_attach_waits_until_the_node_is_attached(tmp_path: Path) -> None:
    turns = [
        answering("C", b"1\0", one("c")),
        answering("I", b"1\0", rows("i", "NodeInfo", DOWN)),
        answering("I", b"1\0", rows("i", "NodeInfo", UP)),
    ]
    with byte_server(tmp_path, *turns) as server:
        assert Pool(server, sleep=lambda _: None).attach(NodeId(1)).status == "waiting"


def test_detach_that_does_not_happen(tmp_path: Path) -> None:
    times = iter([0.0, 0.0, 61.0])
    turns = [
        answering("d", b"1\0", one("d")),
        *2 * [answering("I", b"1\0", rows("i", "NodeInfo", UP))],
    ]
    with byte_server(tmp_path, *turns) as server:
        pool = Pool(server, clock=lambda: next(times), sleep=lambda _: None)
        with pytest.raises(Unverified, match="node 1 is waiting, not down or quarantine") as caught:
            pool.detach(NodeId(1), gracefully=True)
    assert caught.value.detail == "Pgpool-II accepted the command 60 seconds ago."


def test_nothing_listens(tmp_path: Path) -> None:
    server = PcpServer(PcpAddress(str(tmp_path)), "pgpool", PASSWORD)
    with pytest.raises(Unreachable, match="could not connect to Pgpool-II") as caught:
        Pool(server).nodes()
    assert isinstance(caught.value.__cause__, PcpError)
