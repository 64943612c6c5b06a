"""Who logs in to a host, and who is asked about its key: nobody, while somebody gets in."""

import pytest

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.setup import access
from pgpool_recovery.setup.access import OpenShell, open_shell

UNKNOWN = f"{access.UNKNOWN_KEY}."
REFUSED = "Permission denied (publickey)."
Way = tuple[str | None, str]
PERSON: Way = ("alice", "alice")
ROOT: Way = (None, "root")


class Ssh:
    """Answers of ssh for each way, before and after it has asked about the key."""

    def __init__(self, answers: dict[Way, str | None], asked: dict[Way, str | None]) -> None:
        self.answers, self.accepted = answers, asked
        self.asked: list[Way] = []

    def try_(self, host: str, local: str | None, remote: str) -> tuple[OpenShell | None, str]:
        way = (local, remote)
        failure = (self.accepted if way in self.asked else self.answers)[way]
        return (OpenShell((), f"{host} as {remote}"), "") if failure is None else (None, failure)

    def ask(self, _host: str, local: str | None, remote: str) -> None:
        self.asked.append((local, remote))


def log_in(monkeypatch: pytest.MonkeyPatch, ssh: Ssh, *, may_ask: bool = True) -> str:
    monkeypatch.setattr(access, "is_this_host", lambda _host: False)
    monkeypatch.setattr(access, "_ways", lambda _user: [ROOT, PERSON])
    monkeypatch.setattr(access, "_try", ssh.try_)
    monkeypatch.setattr(access, "_ask_about_key", ssh.ask)
    return open_shell("server1", None, may_ask=may_ask).way


def test_root_is_not_asked_about_a_key_that_the_person_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ssh = Ssh({ROOT: UNKNOWN, PERSON: None}, {})
    assert log_in(monkeypatch, ssh) == "server1 as alice"
    assert ssh.asked == []


def test_the_person_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = Ssh({ROOT: UNKNOWN, PERSON: UNKNOWN}, {PERSON: None})
    assert log_in(monkeypatch, ssh) == "server1 as alice"
    assert ssh.asked == [PERSON]


def test_root_is_asked_when_the_person_does_not_get_in(monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = Ssh({ROOT: UNKNOWN, PERSON: UNKNOWN}, {PERSON: REFUSED, ROOT: None})
    assert log_in(monkeypatch, ssh) == "server1 as root"
    assert ssh.asked == [PERSON, ROOT]


def test_every_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = Ssh({ROOT: UNKNOWN, PERSON: REFUSED}, {})
    with pytest.raises(Unreachable) as caught:
        log_in(monkeypatch, ssh, may_ask=False)
    assert ssh.asked == []
    assert caught.value.detail == f"as root: {UNKNOWN}\nas alice: {REFUSED}"
