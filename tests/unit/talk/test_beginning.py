"""The beginning of a conversation: noise is passed over, and what is in the way is named."""

import os
import sys
import time
from pathlib import Path

import pytest

from pgpool_recovery.domain.error import RecoveryError, Unreachable
from pgpool_recovery.domain.event import Event, Said
from pgpool_recovery.ssh.command import SshSettings, ssh_command
from pgpool_recovery.talk import conversation
from pgpool_recovery.talk.beginning import MAX_NOISE_BYTES, Caller, SilentLogin, why_ended
from pgpool_recovery.talk.conversation import converse
from pgpool_recovery.talk.protocol import PROTOCOL, Answer, Greeting, Weigh
from pgpool_recovery.talk.wire import encode_message

GREETING = encode_message(Greeting("pgpool-recovery", PROTOCOL, "2.0")).decode().strip()
ANSWER = encode_message(Answer(result=3)).decode().strip()
SAYS = """
import sys
def say(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
say({before!r} + {greeting!r} + b"\\n")
while "Weigh" not in sys.stdin.readline():
    pass
say({between!r} + {answer!r} + b"\\n")
sys.stdin.read()
"""
NOISE = {
    "no line break": b"Welcome to server2  ",
    "lines": b"one\ntwo\n",
    "a line that looks like one of ours": b'{"was": 1}\n',
    "bytes": b"\0\xff{\r",
    "half of JSON": b'{"is',
    "as much as there may be": b"x" * (MAX_NOISE_BYTES - 1000) + b"\n",
}


def ask(argv: list[str], events: list[Event] | None = None, timeout_s: float = 20) -> int:
    told = [] if events is None else events
    with converse(argv, "node 1", told.append, timeout_s=timeout_s) as agent:
        return agent.ask(Weigh("abc"), timeout_s=20)


@pytest.mark.parametrize("which", NOISE)
def test_what_a_shell_prints_before_a_message_is_passed_over(tmp_path: Path, which: str) -> None:
    """Before the greeting, and later, as a job that a shell has left behind prints it."""
    program = tmp_path / "agent.py"  # Too long for an argument.
    program.write_text(
        SAYS.format(
            before=NOISE[which],
            between=NOISE[which],
            greeting=GREETING.encode(),
            answer=ANSWER.encode(),
        )
    )
    assert ask([sys.executable, str(program)]) == 3


def failure(argv: list[str], timeout_s: float = 20) -> RecoveryError:
    with pytest.raises(RecoveryError) as caught:
        ask(argv, timeout_s=timeout_s)
    return caught.value


@pytest.mark.parametrize("word", ["Buy now\n", "Buy now"])
def test_noise_without_end_is_given_up_long_before_the_time(word: str) -> None:
    began = time.monotonic()
    lost = failure([sys.executable, "-c", f"while True: print({word!r}, end='')"], timeout_s=300)
    assert lost.message.startswith(f"the login to node 1 has printed {MAX_NOISE_BYTES} bytes")
    assert "Buy now" in str(lost.detail)
    assert time.monotonic() - began < 100


def test_what_only_repeats_is_no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not one of another protocol, whose cure would be another one."""
    monkeypatch.setattr(conversation, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(conversation, "TOLD_AFTER_S", 0.5)
    events: list[Event] = []
    with pytest.raises(Unreachable, match="does not answer") as caught:
        ask(["sh", "-c", "echo Psst; exec cat"], events, timeout_s=2)
    assert "Psst" in str(caught.value.detail)
    [told] = events
    assert isinstance(told, Said)
    assert told.line.startswith("still waiting for the agent of node 1; its login has printed: P")


def test_causes_on_this_host() -> None:
    assert failure(["sh", "-c", "exit 127"]).message == "node 1 has no pgpool-recovery agent"
    assert failure(["sh", "-c", "exit 126"]).message == "the agent of node 1 cannot be run"
    ended = failure(["sh", "-c", "echo why >&2; exit 1"])
    assert (ended.message, ended.detail) == ("the agent of node 1 ended with status 1", "why")
    assert ended.hint is None


OWN_CAUSES = {
    "refused": ("Hostname 127.0.0.1\nPort 1\n", "refused", "Port in ~/.ssh/config"),
    "no such name": ("Hostname server..x\n", "resolve", "HostName in ~/.ssh/config"),
    "unknown option": ("Nonsense yes\n", "nonsense", "Correct ~/.ssh/config"),
    "another command": ("RemoteCommand uptime\n", "remote command", "RemoteCommand=none"),
    "a program on the way": ("ProxyCommand false\n", "UNKNOWN", "ProxyCommand"),
    "quiet": ("LogLevel QUIET\nHostname 127.0.0.1\nPort 1\n", "refused", "Start sshd on server2"),
}


@pytest.mark.parametrize("which", OWN_CAUSES)
def test_causes_that_ssh_has_itself(tmp_path: Path, which: str) -> None:
    text, detail, hint = OWN_CAUSES[which]
    file = tmp_path / "config"
    file.write_text(text)
    settings = SshSettings(options=("-F", str(file)))
    lost = failure(ssh_command("server2", ["pgpool-recovery", "agent"], settings))
    assert lost.message == "could not log in to node 1 by ssh"
    assert detail in str(lost.detail)
    assert hint in str(lost.hint)


def test_configuration_that_others_may_write(tmp_path: Path) -> None:
    said = failed_login("Bad owner or permissions on /var/lib/postgresql/.ssh/config")
    assert "Correct ~/.ssh/config of postgres on server1" in str(said.hint)


CALLER = Caller(
    "postgres", "server1", "server2", "ssh server2 true", "ssh server2 'p a'", "/opt/bin/p"
)


def failed_login(errors: str, status: int = 255, noise: str = "") -> RecoveryError:
    return why_ended(SilentLogin("node 1", CALLER, status, errors, noise))


TURNED_AWAY = {
    # As OpenSSH 9.2 and 10.0 say it, of sshd 9.2 and 10.0.
    "kex_exchange_identification: read: Connection reset by peer\n"
    "Connection reset by 10.90.0.2 port 22": True,
    "kex_exchange_identification: Connection closed by remote host\n"
    "Connection closed by 10.90.0.2 port 22": True,
    "Not allowed at this time": True,
    "Connection closed by 10.90.0.2 port 22": True,
    "Connection closed by UNKNOWN port 65535": False,
    "kex_exchange_identification: banner line contains invalid characters": False,
    "postgres@server2: Permission denied (publickey).\nConnection closed by 10.0.0.2": False,
    "ssh: connect to host server2 port 22: Connection refused": False,
    "No ED25519 host key is known for server2\nHost key verification failed.": False,
    "Received disconnect from 10.0.0.2 port 22:2: Too many authentication failures": False,
}


@pytest.mark.parametrize("errors", TURNED_AWAY)
def test_only_who_was_not_asked_for_a_key_tries_again(errors: str) -> None:
    login = SilentLogin("node 1", CALLER, 255, errors, "")
    assert login.is_turned_away is TURNED_AWAY[errors]
    assert not SilentLogin("node 1", CALLER, 1, errors, "").is_turned_away
    assert not SilentLogin("node 1", None, 255, errors, "").is_turned_away


def test_commands_that_a_shells_own_files_miss_are_not_the_agent() -> None:
    missing = failed_login("/opt/bin/p: Command not found.", status=1)
    assert missing.message == "node 1 has no pgpool-recovery agent"
    other = failed_login("bash: neofetch: command not found\nTraceback", status=1)
    assert other.message.startswith("the ssh login to node 1 ended with status 1")


def test_try_by_hand_reads_nothing_and_has_the_words_of_the_call() -> None:
    hint = str(failed_login("", status=0).hint)
    assert hint.endswith("""{"is": "Greeting": ssh server2 'p a' </dev/null""")


def turned_away_once(tmp_path: Path) -> Path:
    """Make a program named ssh that is turned away at its first call, and at each one by `away`."""
    directory = tmp_path / "bin"
    directory.mkdir()
    program = directory / "ssh"
    says = SAYS.format(before=b"", between=b"", greeting=GREETING.encode(), answer=ANSWER.encode())
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        f"calls = {str(tmp_path / 'calls')!r}\n"
        "open(calls, 'a').write('x')\n"
        f"if os.path.getsize(calls) < int(open({str(tmp_path / 'away')!r}).read()):\n"
        "    sys.exit(print('Connection closed by 10.0.0.2 port 22', file=sys.stderr) or 255)\n"
        f"{says}"
    )
    program.chmod(0o755)
    return directory


@pytest.mark.parametrize(("away", "calls"), [(3, 3), (99, 5)])
def test_login_that_is_turned_away_is_tried_again_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: int, calls: int
) -> None:
    monkeypatch.setenv("PATH", f"{turned_away_once(tmp_path)}:{os.environ['PATH']}")
    monkeypatch.setattr(conversation, "TRIED_AGAIN_AFTER_S", (0.1, 0.1, 0.1, 0.1))
    (tmp_path / "away").write_text(str(away))
    argv, events = ssh_command("server2", ["p", "a"], SshSettings()), list[Event]()
    if away == 3:
        assert ask(argv, events) == 3
    else:
        assert "PerSourcePenalties" in str(failure(argv).hint)
    assert (tmp_path / "calls").read_text() == "x" * calls
    assert len(events) == (2 if away == 3 else 0)
