"""Which password is found, or why none is found."""

import os
from pathlib import Path

import pytest

from pgpool_recovery.pcp.client.address import PcpAddress, pass_file_hosts, socket_paths
from pgpool_recovery.pcp.client.digest import PasswordDigest
from pgpool_recovery.pcp.client.pass_file import (
    pass_file_path,
    password_from_file,
    password_in_text,
)
from pgpool_recovery.pcp.client.pcp_error import PcpError

LINES = [
    ("server1:9898:pcp:secret", "secret"),
    ("*:*:*:secret", "secret"),
    (r"server1:9898:pcp:a\:b\\c", r"a:b\c"),
    ("server1:9898:pcp:a:b", "a:b"),
    ("server1:9898:pcp:", ""),
    ("server1:9898:pcp:#s ", "#s "),
    ("other:9898:pcp:wrong\n*:9898:pcp:first\n*:9898:pcp:second", "first"),
    ("server*:9898:pcp:wrong", None),
    (r"\*:9898:pcp:wrong", None),
    ("server1:989:pcp:wrong", None),
    ("server1:9898:PCP:wrong", None),
    ("server1:9898:pcp", None),
    ("# server1:9898:pcp:wrong", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "password"), LINES)
def test_first_line_that_fits(text: str, password: str | None) -> None:
    assert password_in_text(text, ["server1"], "9898", "pcp") == password


def test_escaped_names() -> None:
    assert password_in_text(r"fe80\:\:1:1:a\\b:x", ["fe80::1"], "1", "a\\b") == "x"


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("", ["localhost"]),
        ("/tmp", ["localhost", "/tmp"]),
        ("/var/run/postgresql/", ["localhost", "/var/run/postgresql/"]),
        ("/var/lib/pgpool", ["/var/lib/pgpool"]),
        ("server1", ["server1"]),
    ],
)
def test_names_of_a_host(host: str, names: list[str]) -> None:
    assert pass_file_hosts(PcpAddress(host)) == names


def test_places_of_the_socket() -> None:
    assert socket_paths(PcpAddress("/tmp", 9898)) == ["/tmp/.s.PGSQL.9898"]
    assert socket_paths(PcpAddress(port=1)) == [
        "/var/run/postgresql/.s.PGSQL.1",
        "/run/postgresql/.s.PGSQL.1",
    ]
    assert PcpAddress("").is_unix
    assert not PcpAddress("server1").is_unix
    with pytest.raises(PcpError, match="too long for a socket"):
        socket_paths(PcpAddress("/" + "x" * 100))


def test_path_of_the_pass_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/joe")
    monkeypatch.delenv("PCPPASSFILE", raising=False)
    assert pass_file_path() == "/home/joe/.pcppass"
    monkeypatch.setenv("PCPPASSFILE", "/etc/pcppass")
    assert pass_file_path() == "/etc/pcppass"


def write(path: Path, text: bytes, mode: int = 0o600) -> str:
    path.write_bytes(text)
    path.chmod(mode)
    return str(path)


def found(path: str, user: str = "pcp") -> PasswordDigest:
    return password_from_file(path, ["server1"], 9898, user)


def test_password_of_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "pass", b"*:*:pcp:s\xc3\xa4cret\n*:*:latin:s\xe4cret\n")
    assert found(path) == PasswordDigest.of_password("säcret")
    assert found(path, "latin") == PasswordDigest.of_password("s\udce4cret"), "not by its bytes"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o601, 0o620])
def test_file_that_others_have_access_to_is_ignored(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "pass", b"*:*:pcp:secret\n", mode)
    with pytest.raises(PcpError, match='no password for PCP user "pcp"') as caught:
        found(path)
    assert "group or others have access" in (caught.value.detail or "")
    assert "chmod 0600" in (caught.value.hint or "")


def test_why_there_is_no_password(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    other = write(tmp_path / "pass", b"*:*:other:secret\n")
    reasons = {
        str(tmp_path / "none"): "No such file or directory",
        str(tmp_path): "directory",
        str(tmp_path / "fifo"): "is not a regular file",
        other: f'No line of "{other}" matches server1:9898:pcp.',
    }
    for path, reason in reasons.items():
        with pytest.raises(PcpError) as caught:
            found(path)
        assert reason in (caught.value.detail or "")
        assert "server1:9898:pcp:PASSWORD" in (caught.value.hint or "") or path.endswith("fifo")
        assert caught.value.sqlstate == "28P01"
        assert "secret" not in str(vars(caught.value))
