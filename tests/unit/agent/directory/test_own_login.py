"""Secrets of the node's own primary_conninfo are used on its host, and nowhere else."""

import os
import stat
from pathlib import Path

import pytest
from psycopg import pq

from pgpool_recovery.agent.directory.configuration import is_trusted, without_secrets
from pgpool_recovery.agent.directory.own_login import (
    SERVICE,
    OwnLogin,
    name_of_service,
    own_name,
    own_server_words,
    service_text,
)
from pgpool_recovery.agent.method.base_backup.wal_stream import argv as words_of_pg_receivewal
from pgpool_recovery.agent.method.make_standby import leading_settings
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.standby import Repoint
from pgpool_recovery.plan.inherited import SECRETS, inherited
from pgpool_recovery.postgres.conninfo import format_conninfo, parse_conninfo

PLACES = Places(Place("/data", "/data.w", is_inside=False, new="/data.w/new"), None, ())
OWN = {"host": "old", "user": "repl", "sslkey": "/k", "sslmode": "require"} | {
    word: f"SECRET-{word}" for word in SECRETS
}
CONNINFO = {"host": "new", "port": "5432", "user": "repl", "sslkey": "/k", "sslmode": "require"}


def test_secrets_belong_to_the_role_and_to_the_key() -> None:
    own = OwnLogin(OWN)
    assert set(own.secrets(CONNINFO)) == set(SECRETS) - {"oauth_client_secret"}
    assert set(own.secrets({**CONNINFO, "user": "other"})) == {"sslpassword"}
    assert own.secrets({**CONNINFO, "user": "other", "sslkey": "/other"}) == {}
    assert OwnLogin().secrets(CONNINFO) == {}


def test_default_role_is_the_operating_system_user() -> None:
    own = OwnLogin({"password": "x"})
    assert own.secrets({"user": own_name()}) == {"password": "x"}
    assert own.secrets({"user": "somebody_else"}) == {}


def test_runner_receives_no_secrets() -> None:
    assert "SECRET" not in str(without_secrets(OWN))
    assert without_secrets(OWN)["host"] == "old"


def test_arguments_of_a_program_have_none_and_its_service_file_has_all() -> None:
    with OwnLogin(OWN).for_program(CONNINFO) as (conninfo, environment):
        words = words_of_pg_receivewal("/bin", conninfo, Path("/wal"), "s")
        assert "SECRET" not in " ".join(words)
        assert f"service={SERVICE}" in " ".join(words)
        file = Path(environment["PGSERVICEFILE"])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert "sslpassword=SECRET-sslpassword\n" in file.read_text()
    assert not file.parent.exists()


def test_password_alone_needs_no_file() -> None:
    own = OwnLogin({"user": "repl", "password": "x"})
    with own.for_program({"host": "a", "user": "repl"}) as (conninfo, environment):
        assert environment == {"PGPASSWORD": "x", "PGREQUIREAUTH": "!password"}
        assert conninfo == {"host": "a", "user": "repl"}


@pytest.mark.parametrize(
    ("host", "is_socket"),
    [({}, True), ({"host": "/tmp"}, True), ({"host": "a,@b"}, True), ({"host": "a,b"}, False)],
)
def test_promise_13_no_password_goes_to_a_socket_of_another_user(
    host: dict[str, str], *, is_socket: bool
) -> None:
    conninfo = {"user": "repl", **host}
    with OwnLogin().for_program(conninfo) as (_, environment):
        assert environment.get("PGREQUIREPEER") == (own_name() if is_socket else None)
    assert OwnLogin().whole(conninfo).get("requirepeer") == (own_name() if is_socket else None)
    assert OwnLogin().whole({**conninfo, "requirepeer": "other"})["requirepeer"] == "other"


def test_service_file_is_one_that_libpq_reads(tmp_path: Path) -> None:
    file = tmp_path / "service"
    file.write_text(service_text({"sslpassword": " a = 'b' # c", "password": "d"}, None))
    os.environ["PGSERVICEFILE"], before = str(file), os.environ.get("PGSERVICEFILE")
    try:
        pgconn = pq.PGconn.connect_start(f"service={SERVICE} host=/nowhere".encode())
    finally:
        os.environ.pop("PGSERVICEFILE")
        if before is not None:
            os.environ["PGSERVICEFILE"] = before
    found = {option.keyword: option.val for option in pgconn.info}
    pgconn.finish()
    assert (found[b"sslpassword"], found[b"password"]) == (b" a = 'b' # c", b"d")


def test_own_service_of_the_node_stays_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services"
    file.write_text("[other]\npassword=no\n[mine]\nsslmode=require\nsslpassword=old\n[third]\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    assert service_text({"sslpassword": "new"}, "mine") == (
        "[mine]\nsslpassword=new\nsslmode=require\n"
    )


@pytest.mark.parametrize("text", ["x ", "x\t", "x\ny", "x\ry"])
def test_secret_that_no_service_file_can_hold_is_refused_without_it(text: str) -> None:
    with pytest.raises(Refused) as caught:
        service_text({"sslpassword": text}, None)
    assert text not in str(caught.value.as_record())


def test_clear_text_is_refused_unless_require_auth_is_set() -> None:
    with OwnLogin().for_program(CONNINFO) as (_, environment):
        assert environment == {"PGREQUIREAUTH": "!password"}
    with OwnLogin().for_program({**CONNINFO, "require_auth": ""}) as (conninfo, environment):
        assert environment == {}
        assert "require_auth" not in format_conninfo(conninfo)
    knows = pq.version() >= 160000
    assert ("require_auth" in OwnLogin().whole(CONNINFO)) == knows


def test_promise_5_new_primary_conninfo_keeps_the_nodes_own_secrets() -> None:
    step = Repoint(
        places=PLACES,
        conninfo={**CONNINFO, **inherited({"sslmode": "require"})},
        slot_name="s",
        former_slot_name=None,
        port=None,
        bin_directory="/bin15",
    )
    own = OwnLogin({"user": "repl", "password": "p w", "sslkey": "/k", "sslpassword": "q'"})
    written = parse_conninfo(leading_settings(step, own)["primary_conninfo"])
    assert (written["password"], written["sslpassword"]) == ("p w", "q'")
    assert "require_auth" not in written


def test_what_libpq_cannot_read_is_not_shown() -> None:
    for text in ("host=x password=secret word", "password='secret", "secret=1 password=x"):
        with pytest.raises(Refused) as caught:
            parse_conninfo(text)
        assert "secret" not in str(caught.value.as_record())
        assert "word" not in str(caught.value.detail).replace("password", "")
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(("mode", "expected"), [(0o700, True), (0o750, True), (0o770, False)])
def test_directory_that_others_can_write_to_is_not_trusted(
    tmp_path: Path, mode: int, *, expected: bool
) -> None:
    tmp_path.chmod(mode)
    assert is_trusted(tmp_path) == expected
    assert not is_trusted(tmp_path / "nowhere")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory of somebody else")
def test_directory_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 65534, 65534)
    assert not is_trusted(theirs)


@pytest.mark.parametrize(("host", "is_socket"), [("/run/x", True), ("localhost", False)])
def test_promise_13_login_to_the_own_server_reaches_no_other_server(
    host: str, *, is_socket: bool
) -> None:
    words = own_server_words(host)
    assert words.get("requirepeer") == (own_name() if is_socket else None)
    assert ("require_auth" in words) == (not is_socket and pq.version() >= 160000)


def test_name_from_the_own_service_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one in the connection string would override it, and the primary may wait for it."""
    file = tmp_path / "services"
    file.write_text("[other]\napplication_name=no\n[own]\napplication_name=standby_b\nuser=x\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    assert name_of_service({"service": "own"}) == {"application_name": "standby_b"}
    assert name_of_service({"service": "third"}) == name_of_service({}) == {}
