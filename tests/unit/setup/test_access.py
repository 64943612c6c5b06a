"""Which ways to log in are tried, and when a person is asked."""

import pytest

from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.setup import access
from pgpool_recovery.setup.access import OpenShell, Ran, open_shell

UNKNOWN = "Host key verification failed."


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return who was asked about; the caller of sudo is admin, and the host is another one."""
    found: list[str] = []
    monkeypatch.setattr(access, "caller", lambda: "admin")
    monkeypatch.setattr(access, "is_this_host", lambda _host: False)
    monkeypatch.setattr(access, "_ask_about_key", lambda _host, _local, user: found.append(user))
    return found


def answer(monkeypatch: pytest.MonkeyPatch, *known: str) -> None:
    """Let only these users log in, as root or by sudo."""

    def run(self: OpenShell, script: str, *, within_s: float) -> Ran:
        assert self.ssh is not None
        user = self.ssh[1].user
        if user not in known:
            return Ran(255, UNKNOWN)
        is_root = user == "root" or self.prefix
        return Ran(0, "0\n" if is_root else "1001\n")

    monkeypatch.setattr(OpenShell, "run", run)


def test_operator_who_called_sudo_comes_first(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    answer(monkeypatch, "admin", "root")
    assert open_shell("server1", None, may_ask=True).way == "ssh as admin and sudo"
    assert asked == []


def test_nobody_is_asked_if_another_way_works(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    answer(monkeypatch, "root")
    assert open_shell("server1", None, may_ask=True).way == "ssh as root"
    assert asked == []


@pytest.mark.parametrize(("may_ask", "whom"), [(True, ["admin"]), (False, [])])
def test_person_is_asked_once_and_only_where_one_is(
    monkeypatch: pytest.MonkeyPatch, asked: list[str], whom: list[str], *, may_ask: bool
) -> None:
    answer(monkeypatch)
    with pytest.raises(Unreachable, match="could not log in to server1") as caught:
        open_shell("server1", None, may_ask=may_ask)
    assert asked == whom
    assert caught.value.detail == f"as admin: {UNKNOWN}\nas root: {UNKNOWN}"


def test_root_is_asked_about_if_the_operator_does_not_get_in(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    def run(self: OpenShell, script: str, *, within_s: float) -> Ran:
        assert self.ssh is not None
        user = str(self.ssh[1].user)
        if user not in asked:
            return Ran(255, UNKNOWN)
        return Ran(0, "0\n") if user == "root" else Ran(255, "Permission denied (publickey).")

    monkeypatch.setattr(OpenShell, "run", run)
    assert open_shell("server1", None, may_ask=True).way == "ssh as root"
    assert asked == ["admin", "root"]


def test_key_of_a_host_is_always_checked(monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> None:
    answer(monkeypatch, "root")
    shell = open_shell("server1", "root", may_ask=False)
    assert shell.ssh is not None
    assert shell.ssh[1].check_host_keys


@pytest.mark.parametrize(
    ("uid", "name", "found"),
    [(0, "nobody", "nobody"), (0, "root", None), (0, "no such user", None), (1000, "nobody", None)],
)
def test_user_of_sudo(
    monkeypatch: pytest.MonkeyPatch, uid: int, name: str, found: str | None
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)
    monkeypatch.setenv("SUDO_USER", name)
    assert access.caller() == found
