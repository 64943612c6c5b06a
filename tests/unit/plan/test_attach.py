"""The name of a slot alone does not show which server streams from it."""

from dataclasses import replace

import pytest

from pgpool_recovery.facts.facts import Facts, Stream
from pgpool_recovery.facts.running import Running, RunningServer, Silent
from pgpool_recovery.plan.attach import streams
from tests.unit.plan.situation import control, facts, primary, target

SLOT = "shared"


def running(*, has_receiver: bool) -> RunningServer:
    return RunningServer(
        login={"host": "/run", "port": "5432", "dbname": "postgres"},
        is_in_recovery=True,
        is_paused=False,
        timeline=control().timeline,
        histories=(),
        receiving=control().timeline if has_receiver else None,
        received=control().redo,
        replayed=control().redo,
        is_torn=False,
        recovery_target_timeline="latest",
        sources={},
        has_receiver=has_receiver,
    )


def node(said: Running) -> Facts:
    """Return a running node, while a standby streams from the slot in its settings."""
    own = target().configuration
    assert own is not None
    own = replace(own, values={**own.values, "primary_slot_name": SLOT})
    stream = Stream(SLOT, "192.0.2.77", application_name="walreceiver")
    made = facts(
        target=target(server_pid=4711, is_standby=True, configuration=own),
        primary=primary(streams=(stream,)),
    )
    return replace(made, running=said)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (running(has_receiver=True), True),
        (running(has_receiver=False), False),
        (Silent("It lets nobody in."), True),
    ],
)
def test_node_without_a_receiver_is_not_the_one_that_uses_its_slot(
    said: Running, *, expected: bool
) -> None:
    """A clone of it streams, and was faster."""
    assert streams(node(said)) is expected
