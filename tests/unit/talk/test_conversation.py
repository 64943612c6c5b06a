"""The runner's side: it sends heartbeats to an agent, and notices when the agent is gone."""

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import pytest

from pgpool_recovery.domain.error import Busy, Refused, Unreachable
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.files.trust import user_name
from pgpool_recovery.log.note import turn_off, turn_on
from pgpool_recovery.run.shield import shielded
from pgpool_recovery.ssh.command import SshSettings, ssh_command
from pgpool_recovery.talk import agent_log, conversation
from pgpool_recovery.talk.conversation import converse
from pgpool_recovery.talk.protocol import PROTOCOL, Answer, Farewell, Greeting, Message, Weigh
from pgpool_recovery.talk.wire import SAME_VERSION, encode_message
from tests.harness.until import until

GREETING = encode_message(Greeting("pgpool-recovery", PROTOCOL, "2.0")).decode().strip()
ENDS_WITH_THE_CONVERSATION = f"print({GREETING!r}, flush=True); import sys; sys.stdin.read()"
ENDS_WHEN_IT_HEARS_ANYTHING = f"print({GREETING!r}, flush=True); input()"


def test_agent_gets_heartbeats_between_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the agent would end during a long wait for the primary."""
    monkeypatch.setattr(conversation, "HEARTBEAT_S", 0.05)
    argv = [sys.executable, "-c", ENDS_WHEN_IT_HEARS_ANYTHING]
    with converse(argv, "node 1", lambda _event: None, timeout_s=10) as agent:

        def is_gone() -> bool:
            try:
                agent.check()
            except Unreachable as lost:
                return lost.message == "the connection to node 1 was lost"
            return False

        assert until(is_gone, within_s=10, what="the agent to hear a heartbeat")


def test_cancel_does_not_interrupt_a_protected_section_while_there_is_an_agent() -> None:
    """If a thread did not block signals, the handler would run in the middle of it."""
    heard: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        heard.append(number)

    argv = [sys.executable, "-c", ENDS_WITH_THE_CONVERSATION]
    before = signal.signal(signal.SIGTERM, hear)
    try:
        with converse(argv, "node 1", lambda _event: None, timeout_s=10):
            with shielded():
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.2)
                assert heard == []
            assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_cancel_of_the_caller_does_not_reach_the_agent() -> None:
    """It is a SIGINT to the process group, and ssh would end before the agent reports its undo."""
    greeting = GREETING.replace("2.0", "%s")
    program = f"import os; print({greeting!r} % os.getpgrp(), flush=True); input()"
    argv = [sys.executable, "-c", program]
    with converse(argv, "node 1", lambda _event: None, timeout_s=10) as agent:
        assert int(agent.version) != os.getpgrp()


NEVER_READS = f"print({GREETING!r}, flush=True); import time; time.sleep(600)"


@pytest.mark.parametrize("size", [1, 4 * 2**20], ids=["not read", "not even taken"])
def test_promise_9_agent_that_reads_nothing_is_given_up(size: int) -> None:
    """The limit includes the time for sending."""
    argv, began = [sys.executable, "-c", NEVER_READS], time.monotonic()
    with (
        converse(argv, "node 1", lambda _event: None, timeout_s=10) as agent,
        pytest.raises(Unreachable, match="the agent of node 1 does not answer"),
    ):
        agent.ask(Weigh("x" * size), timeout_s=1)
    assert time.monotonic() - began < 20


SAYS_AND_SAYS = f"""
import sys, time
print({GREETING!r}, flush=True)
while True:
    print('{{"is": "Said", "program": "x", "line": "y"}}', flush=True)
"""


def test_promise_9_agent_that_sends_events_but_no_answer_is_given_up() -> None:
    ticks: list[float] = []
    with (
        converse(
            [sys.executable, "-c", SAYS_AND_SAYS], "node 1", lambda _event: None, timeout_s=10
        ) as agent,
        pytest.raises(Unreachable, match="does not answer"),
    ):
        agent.ask(Weigh("x"), timeout_s=1, on_tick=lambda: ticks.append(time.monotonic()))
    assert ticks, "what looks whether it gets on was never called"


LOGS_WITHOUT_END = f"""
print({GREETING!r}, flush=True)
while True:
    print('{{"is": "Logged", "line": "{"y" * 1000}"}}', flush=True)
"""


@pytest.mark.parametrize("is_asked", [True, False])
def test_promise_9_agent_that_only_logs_is_given_up(*, is_asked: bool) -> None:
    """It cannot fill the log, and its log lines do not count as progress."""
    lines: list[str] = []
    events: list[object] = []
    if is_asked:
        turn_on(lines.append, "runner")
    argv = [sys.executable, "-c", LOGS_WITHOUT_END]
    try:
        with (
            converse(argv, "node 1", events.append, timeout_s=10) as agent,
            pytest.raises(Unreachable, match="does not answer"),
        ):
            agent.ask(Weigh("x"), timeout_s=1, is_renewed_by_events=True)
    finally:
        turn_off()
    assert events == []
    assert sum(map(len, lines)) < 2 * agent_log.MAX_BYTES
    assert any("agent of node 1 | y" in line for line in lines) is is_asked
    assert any("asks the agent of node 1: Weigh failed after" in line for line in lines) is is_asked


NOISES = ["noise\\n", "."]


@pytest.mark.parametrize("noise", NOISES, ids=["lines", "no line"])
def test_promise_9_noise_does_not_count_as_progress(noise: str) -> None:
    """A copy has no limit other than the check for progress."""
    program = f"""
import sys, time
print({GREETING!r}, flush=True)
while True:
    print('{noise}', end='', flush=True)
    time.sleep(0.05)
"""
    looks = iter(range(1000))

    def look() -> None:
        if next(looks) > 20:
            raise Unreachable("it stands still")

    with (
        converse(
            [sys.executable, "-c", program], "node 1", lambda _event: None, timeout_s=10
        ) as agent,
        pytest.raises(Unreachable, match="it stands still"),
    ):
        agent.ask(Weigh("x"), timeout_s=60, on_tick=look)


SAYS_FOR_A_WHILE = f"""
import sys, time
print({GREETING!r}, flush=True)
for _ in range(5):
    time.sleep(0.7)
    print('{{"is": "Said", "program": "x", "line": "y"}}', flush=True)
time.sleep(600)
"""


def test_promise_9_events_renew_the_limit() -> None:
    events: list[object] = []
    argv = [sys.executable, "-c", SAYS_FOR_A_WHILE]
    with (
        converse(argv, "node 1", events.append, timeout_s=10) as agent,
        pytest.raises(Unreachable, match="does not answer"),
    ):
        agent.ask(Weigh("x"), timeout_s=3, is_renewed_by_events=True)
    assert len(events) == 5


UNREADABLE = {
    "an unknown event": '{"is": "Throttled"}',
    "a field more": '{"is": "Said", "program": "x", "line": "y", "more": 1}',
    "a field less": '{"is": "Said", "program": "x"}',
    "another type": '{"is": "Said", "program": "x", "line": ["y"]}',
    "too deep": '{"is": ' + "[" * 100_000,
    "a result of another type": '{"is": "Answer", "result": "x", "failure": null}',
    "a failure that is none": '{"is": "Answer", "result": null, "failure": {"error": "Busy"}}',
    "an unknown state": '{"is": "Answer", "result": null, "failure": {"error": "Busy", '
    '"message": "x", "detail": null, "hint": null, "target": "gone", "exit_status": 6, '
    '"sqlstate": "55006"}}',
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_unreadable_message_is_reported_as_another_protocol(what: str) -> None:
    program = f"print({GREETING!r}, flush=True); input(); print({UNREADABLE[what]!r}, flush=True)"
    argv = [sys.executable, "-c", f"{program}; import sys; sys.stdin.read()"]
    with converse(argv, "node 1", lambda _event: None, timeout_s=10) as agent:
        with pytest.raises(Refused, match="the agent of node 1 speaks another protocol") as refused:
            agent.ask(Weigh("x"), timeout_s=10)
        assert agent.is_busy, "it would be asked for more"
    assert refused.value.hint == SAME_VERSION
    assert "It has version 2.0." in str(refused.value.detail)


@pytest.mark.parametrize(
    "failure", ["{}", '{"target": "gone"}', '{"error": [], "target": "untouched"}', "[]"]
)
def test_unreadable_last_word_is_none(failure: str) -> None:
    """It is read while another failure is reported, which it must not hide."""
    answer = f'{{"is": "Answer", "result": null, "failure": {failure}}}'
    assert last_word(answer, encode_message(Farewell(TargetState.RESTORED)).decode()) is None


FAILED = Answer(failure=Busy("it is busy", target=TargetState.INCOMPLETE).as_record())


@pytest.mark.parametrize(
    ("messages", "state"),
    [
        ((FAILED, Farewell(None)), TargetState.INCOMPLETE),
        ((FAILED, Farewell(TargetState.RESTORED)), TargetState.RESTORED),
        ((FAILED, Answer(), Farewell(None)), TargetState.INCOMPLETE),
        ((FAILED,), TargetState.INCOMPLETE),
        ((Answer(), Farewell(None)), None),
        ((Farewell(TargetState.UNTOUCHED),), TargetState.UNTOUCHED),
        ((), None),
    ],
)
def test_last_word_is_the_state_after_the_undo_or_of_the_request(
    messages: tuple[Message, ...], state: TargetState | None
) -> None:
    """An agent that had nothing to undo has reported the state with its failure."""
    assert last_word(*(encode_message(message).decode() for message in messages)) is state


def last_word(*lines: str) -> TargetState | None:
    """Return the last word of an agent that prints these lines when the conversation ends."""
    said = "\n".join(line.strip() for line in lines)
    argv = [sys.executable, "-c", f"{ENDS_WITH_THE_CONVERSATION}; print({said!r}, flush=True)"]
    with converse(argv, "node 1", lambda _event: None, timeout_s=10) as agent:
        return agent.last_word()


def test_greeting_of_another_version_is_read_with_any_fields() -> None:
    greeting = '{"is": "Greeting", "agent": "x", "protocol": 99, "version": "3.1", "more": [1]}'
    argv = [sys.executable, "-c", f"print({greeting!r}, flush=True); input()"]
    with (
        pytest.raises(Refused, match="speaks another protocol") as refused,
        converse(argv, "node 1", lambda _event: None, timeout_s=10),
    ):
        pass
    assert "It has version 3.1 and protocol 99" in str(refused.value.detail)


def test_heartbeat_ends_without_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback of its thread would be in the server's log (pytest makes it an error)."""
    monkeypatch.setattr(conversation, "HEARTBEAT_S", 0.0005)
    argv = [sys.executable, "-c", ENDS_WITH_THE_CONVERSATION]
    for _ in range(10):
        with converse(argv, "node 1", lambda _event: None, timeout_s=10) as agent:
            agent.check()


def test_login_that_fails_says_what_to_try_by_hand() -> None:
    """With the user, the host and the options that were actually used."""
    settings = SshSettings(user="joe", options=("-o", "ProxyCommand=false"))
    argv = ssh_command("server2", ["pgpool-recovery", "agent"], settings)
    with (
        pytest.raises(Unreachable, match="could not log in to node 1 by ssh") as caught,
        converse(argv, "node 1", lambda _event: None, timeout_s=10),
    ):
        pass
    hint = caught.value.hint or ""
    assert hint.endswith("-l joe -o ProxyCommand=false -o LogLevel=INFO -- server2 true")
    assert "ProxyJump" in hint
    assert f"as {user_name(os.geteuid())} on " in hint


@pytest.mark.parametrize("mode", [None, 0o600])
def test_program_that_cannot_be_run_is_no_bug(tmp_path: Path, mode: int | None) -> None:
    """As ssh for a server that SELinux confines, or on a host without it."""
    program = tmp_path / "ssh"
    if mode is not None:
        program.touch(mode)
    with (
        pytest.raises(Unreachable) as raised,
        converse([str(program), "server1"], "node 1", lambda _event: None, timeout_s=10),
    ):
        pass
    why = "Permission denied" if mode else "No such file or directory"
    assert raised.value.message == f"could not run {program} to reach node 1: {why}"
    hint = f"Install {program} on this host, or make it executable for the server's user."
    assert str(raised.value.hint).startswith(hint)
    assert ("setsebool -P postgresql_can_rsync on" in str(raised.value.hint)) == (mode is not None)
