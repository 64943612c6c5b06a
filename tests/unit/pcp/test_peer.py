"""A login is sent only to a server whose user may know the password."""

import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from pgpool_recovery.pcp.client import address, commands, peer
from pgpool_recovery.pcp.client.address import PcpAddress
from pgpool_recovery.pcp.client.commands import PcpServer
from pgpool_recovery.pcp.client.pcp_error import PcpError
from pgpool_recovery.pcp.client.peer import check_peer, owner_of_way
from tests.unit.other_server import NOBODY, listener, received
from tests.unit.pcp.byte_server import LIMITS
from tests.unit.pcp.conversation import PASSWORD


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("where", ["named", "found"])
def test_promise_13_nothing_is_said_to_a_server_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(address, "SOCKET_DIRECTORIES", (str(tmp_path),))
    asked = PcpAddress(str(tmp_path) if where == "named" else "")
    with listener(tmp_path / ".s.PGSQL.9898", NOBODY) as process:
        with pytest.raises(PcpError) as caught:
            commands.node_count(PcpServer(asked, "pgpool", PASSWORD, limits=LIMITS))
        assert received(process) == "b''\n"
    assert caught.value.message == (
        f'the server at "{tmp_path}/.s.PGSQL.9898" runs as user "nobody"'
    )
    assert caught.value.sqlstate == "08001"
    assert "pcp_socket_dir" in (caught.value.hint or "")


@pytest.mark.usefixtures("as_root")
def test_server_of_the_user_postgres_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "SERVER_USER", "nobody")
    with listener(tmp_path / ".s.PGSQL.9898", NOBODY), socket.socket(socket.AF_UNIX) as connected:
        connected.connect(str(tmp_path / ".s.PGSQL.9898"))
        check_peer(connected, str(tmp_path / ".s.PGSQL.9898"))
        monkeypatch.setattr(peer, "SERVER_USER", "there is no such user")
        with pytest.raises(PcpError, match="runs as user"):
            check_peer(connected, str(tmp_path / ".s.PGSQL.9898"))


@pytest.mark.usefixtures("as_root")
def test_server_of_the_owner_of_the_directory_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "owner_of_way", lambda _path: NOBODY)
    with listener(tmp_path / ".s.PGSQL.9898", NOBODY), socket.socket(socket.AF_UNIX) as connected:
        connected.connect(str(tmp_path / ".s.PGSQL.9898"))
        check_peer(connected, str(tmp_path / ".s.PGSQL.9898"))


@pytest.mark.usefixtures("as_root")
def test_promise_13_socket_that_is_a_link_is_not_trusted(tmp_path: Path) -> None:
    """In a directory that all may write to, a user links to a directory of root's."""
    real, link = Path("/etc/passwd"), tmp_path / ".s.PGSQL.9898"
    assert owner_of_way(str(real)) == os.geteuid(), "an honest one"
    link.symlink_to(real)
    assert owner_of_way(str(link)) is None


DIRECTORIES = {"/": (0, 0, 0o755), "/run": (0, 0, 0o755), "/run/pgpool": (NOBODY, NOBODY, 0o775)}


@pytest.mark.parametrize(
    ("changed", "owner"),
    [
        ({}, NOBODY),
        ({"/run": (0, 0, 0o775)}, NOBODY),
        ({"/run/pgpool": (NOBODY, NOBODY, 0o777)}, None),
        ({"/run": (0, 0, 0o1777)}, None),
        ({"/run": (0, 12345, 0o775)}, None),
        ({"/run": (NOBODY, 0, 0o755)}, None),
        ({"/": (0, 0, 0o777)}, None),
    ],
)
def test_owner_of_a_directory_counts_where_only_root_can_have_made_it(
    monkeypatch: pytest.MonkeyPatch,
    changed: Mapping[str, tuple[int, int, int]],
    owner: int | None,
) -> None:
    directories = {**DIRECTORIES, **changed}

    def status(path: str) -> os.stat_result:
        uid, gid, mode = directories[path]
        return os.stat_result((stat.S_IFDIR | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))

    monkeypatch.setattr(os, "stat", status)
    monkeypatch.setattr(os.path, "realpath", lambda path: path)
    assert owner_of_way("/run/pgpool/.s.PGSQL.9898") == owner
