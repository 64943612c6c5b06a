"""The settings file is optional, but strict if it exists."""

import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from pgpool_recovery.config.load import DEFAULT_FILE, load_settings, settings_file, sound_part
from pgpool_recovery.config.settings import HistorySettings, Settings
from pgpool_recovery.domain.error import SettingsError
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.facts.own_method import OwnMethod
from pgpool_recovery.facts.policy import KeepOld

HOST = os.uname().nodename
"""The host that a complaint names."""
GOOD = """\
[ssh]
user = "postgres"
options = ["-i", "/key"]
[policy]
keep_old = "always"
max_rate = "100M"
[timeout]
start_s = 600
[log]
level = "debug"
[node.1]
host = "server2"
start_command = ["sudo", "systemctl", "start", "postgresql-15"]
[node.1.tablespace_mapping]
"/ts1" = "/ts1b"
"""

BAD = """\
colour = "blue"
[policy]
keep_old = "sometimes"
max_rate = 3
speed = "fast"
[timeout]
start_s = -1
[ssh]
connect_timeout_s = true
options = "-v"
[node.200]
[agent]
command = [1]
[log]
level = "loud"
[pgpool]
sslcert = "/c"
"""


def test_settings_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(GOOD)
    settings = load_settings(file)
    assert settings.policy.keep_old is KeepOld.ALWAYS
    assert settings.ssh.options == ("-i", "/key")
    assert settings.timeout.start_s == 600
    assert settings.log.is_debugging
    assert not Settings().log.is_debugging
    node = settings.of_target(Target("x", "/data", NodeId(1)))
    assert node.tablespace_mapping == {"/ts1": "/ts1b"}
    assert settings.of_target(Target("server2", "/data")) == node
    assert settings.of_target(Target("server3", "/data")).start_command == ()


def test_all_complaints_at_once(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(BAD)
    with pytest.raises(SettingsError, match="has 11 errors") as caught:
        load_settings(file)
    assert caught.value.message == f"{HOST}: settings file {file} has 11 errors"
    said = (caught.value.detail or "").split("\n")
    lines = [re.fullmatch(r"line (\d+): .*", line) for line in said]
    assert [int(found[1]) for found in lines if found] == [1, 3, 4, 5, 7, 9, 10, 11, 13, 15]
    assert sorted(
        line.partition(": ")[2] if " in pgpool " not in line else line for line in said
    ) == [
        'invalid value "-v" (must be a list of strings) in ssh.options',
        'invalid value "loud" (must be one of info, debug) in log.level',
        (
            'invalid value "sometimes" (must be one of always, when-space-allows, never) in '
            "policy.keep_old"
        ),
        'invalid value (invalid node id "200") in node.200',
        "invalid value -1 (must be a number greater than 0) in timeout.start_s",
        "invalid value 3 (must be a quoted string) in policy.max_rate",
        "invalid value [1] (must be a list of strings) in agent.command",
        "invalid value true (must be an integer greater than 0) in ssh.connect_timeout_s",
        "sslcert and sslkey must be set together in pgpool (a certificate and its key)",
        "unknown setting colour",
        "unknown setting speed in policy",
    ]
    assert "may belong to a later version" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "[policy]\nstop_runing = 1",
            "line 2: unknown setting stop_runing in policy (stop_running?)",
        ),
        ("[polcy]\n", "line 1: unknown setting polcy (policy?)"),
        ("\n[node.1]\nhots = 'x'", "line 3: unknown setting hots in node.1 (host?)"),
        ("policy.zzz = 1", "line 1: unknown setting zzz in policy"),
        ("policy = {zzz = 1}", "unknown setting zzz in policy"),
    ],
)
def test_line_number_and_suggestion(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert caught.value.detail == complaint


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[policy]\nmax_rate = '31k'", 'must be between "32k" and "1024M" per second'),
        ("[policy]\nmax_rate = '1025M'", 'must be between "32k" and "1024M" per second'),
        ("[policy]\nmax_rate = 'abc'", 'must be between "32k" and "1024M" per second'),
        ("[policy]\nsource = 'standby'", "must be primary, auto or a node id"),
        ("[policy]\nsource = true", "must be primary, auto or a node id"),
        ("[policy]\nsource = 128", 'invalid node id "128"'),
        ("[node.1]\nwal_directory = 'wal'", "must be an absolute path"),
        ("[node.1]\nbin_directory = '/usr/../bin'", "must be an absolute path"),
        ("[node.1.tablespace_mapping]\n'/a' = 'b'", "must be an absolute path"),
        ("[node.1.tablespace_mapping]\n'a' = '/b'", "must be an absolute path"),
        ("[node.1]\nhost = 2", "invalid value 2 (must be a quoted string) in node.1.host"),
        ("[method.own]\nkeep_data = true", "no command in method.own (it is what makes the data)"),
        ("[method.own]\ncommand = []", "must be a list of a program, by its absolute path, and"),
        ("[method.own]\ncommand = ['bin/x']", "must be a list of a program, by its absolute path"),
        ("[method.own]\ncommand = '/bin/x'", "must be a list of strings"),
        ("[method.own]\ncommand = ['/x', '{dir}']", "has {dir}; the placeholders are method, node"),
        ("[method.own]\ncommand = ['/x', '{']", "has a single {; write {{ for one"),
        ("[method.own]\ncommand = ['/x', 'a}b']", "has a single }; write }} for one"),
        ("[method.own]\ncomand = ['/x']", "unknown setting comand in method.own (command?)"),
        ("[method.own]\nnodes = ['1']", "must be a list of node ids"),
        ("[method.own]\nnodes = [128]", 'invalid node id "128"'),
        ("[method.own]\nstall_s = 0", "must be a number greater than 0"),
        ("[method.restore]\ncommand = ['/x']", "- and _, and be no method of ours"),
        ("[method.'a b']\ncommand = ['/x']", "must have up to 40 letters, digits, - and _"),
        ("policy = 3", "invalid value 3 (must be a table) in policy"),
        ("policy = 'x'", 'invalid value "x" (must be a table) in policy'),
        ("node = 1", "invalid value 1 (must be a table) in node"),
        ("node.1 = 1", "invalid value 1 (must be a table) in node.1"),
        ("[primary]\ndbname = 1", "invalid value 1 (must be a quoted string) in primary.dbname"),
        ("[history]\ndatabase = true", "true (must be a quoted string) in history.database"),
        ("[node.1.tablespace_mapping]\n'/a' = 1", 'in node.1.tablespace_mapping."/a"'),
        ("[node.1]\nhost = '$(id)'", 'invalid value (invalid host name "$(id)")'),
        ("[pgpool]\nhost = 'bob@h'", 'invalid value (invalid host name "bob@h") in pgpool.host'),
        ("[node.1]\nstart_command = ['x']", "start_command without host in node.1"),
        ("[replication]\nsslmode = 'verify'", "must be one of disable, allow, prefer, require, "),
        ("[pgpool]\nsslmode = true", "must be one of disable, allow, prefer, require, "),
        ("[replication]\nchannel_binding = 'on'", "must be one of disable, prefer, require"),
        ("[replication]\nsslrootcert = 'root.crt'", "must be an absolute path"),
        ("[replication]\nsslcert = '/c'", "sslcert and sslkey must be set together in replication"),
        ("[pgpool]\nsslkey = '/k'", "sslcert and sslkey must be set together in pgpool"),
        ("[replication]\nsslpassword = 'x'", "unknown setting sslpassword"),
    ],
)
def test_values_that_would_fail_later(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="has 1 error") as caught:
        load_settings(file)
    assert complaint in (caught.value.detail or "")


@pytest.mark.parametrize("rate", ["32k", "32", "1M", "1024M", "1048576"])
def test_rates_as_pg_basebackup_accepts_them(tmp_path: Path, rate: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"[policy]\nmax_rate = '{rate}'\n")
    assert load_settings(file).policy.max_rate == rate


def test_file_that_is_not_toml(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[")
    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings(file)


def test_missing_file_is_an_error_if_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(tmp_path / "nowhere.toml")
    monkeypatch.setattr("pgpool_recovery.config.load.DEFAULT_FILE", tmp_path / "default.toml")
    assert load_settings(tmp_path / "default.toml") == Settings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[history]\ndatabase = "dba"\n[policy]\nmethods = []\n', "dba"),
        ('[history]\ndatabase = "dba"\nkeep_runs = 0\n', "postgres"),
        ('[history]\ndatabase = "dba"\n[unknown]\nx = 1\n', "dba"),
        ("[history", "postgres"),
    ],
)
def test_sound_part(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsError):
        load_settings(file)
    assert sound_part(file) == replace(Settings(), history=HistorySettings(expected))


def test_which_file() -> None:
    assert settings_file(None, {}) == DEFAULT_FILE
    assert settings_file(None, {"PGPOOL_RECOVERY_CONFIG": "/x"}) == Path("/x")
    assert settings_file(Path("/y"), {"PGPOOL_RECOVERY_CONFIG": "/x"}) == Path("/y")


NOBODY = 65534
GROUP = 12345


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "settings.toml"
    path.parent.mkdir()
    path.parent.chmod(0o755)
    path.write_text('[policy]\nkeep_old = "always"\n')
    path.chmod(0o644)
    return path


def test_file_that_only_its_owner_can_write_is_read(file: Path) -> None:
    for mode in (0o644, 0o640, 0o600):
        file.chmod(mode)
        assert load_settings(file).policy.keep_old is KeepOld.ALWAYS


@pytest.mark.usefixtures("as_root")
def test_file_of_root_with_another_group_is_read(file: Path) -> None:
    """An administrator lets postgres read what must be hidden from others in this way."""
    os.chown(file, 0, GROUP)
    file.chmod(0o640)
    assert load_settings(file).policy.keep_old is KeepOld.ALWAYS


def refused(file: Path, hint: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert caught.value.exit_status == 3
    assert caught.value.message == f"{HOST}: settings file {file} can be changed by others"
    assert caught.value.hint == hint
    assert sound_part(file) == Settings()
    return caught.value.detail or ""


@pytest.mark.usefixtures("as_root")
def test_unreadable_file_is_reported_with_its_owner() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:  # Other users can enter it.
        Path(directory).chmod(0o755)
        file = Path(directory) / "settings.toml"
        file.touch(mode=0o600)
        os.seteuid(NOBODY)
        try:
            with pytest.raises(SettingsError) as caught:
                load_settings(file)
        finally:
            os.seteuid(0)
    assert caught.value.message == f"{HOST}: could not read settings file {file}: Permission denied"
    assert caught.value.detail == (
        'It belongs to root, group root, and has mode 0600. This command runs as user "nobody".'
    )
    assert f"chown root:postgres {file}; chmod 0640 {file}" in (caught.value.hint or "")


@pytest.mark.parametrize("where", ["file", "directory"])
def test_file_that_everybody_can_change_is_refused(file: Path, where: str) -> None:
    part = file if where == "file" else file.parent
    part.chmod(part.stat().st_mode | 0o002)
    assert f"{part} is writable by everybody." in refused(file, f"chmod go-w {part}")


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("where", ["file", "directory"])
def test_file_of_another_user_or_of_a_group_is_refused(file: Path, where: str) -> None:
    part = file if where == "file" else file.parent
    os.chown(part, NOBODY, -1)
    assert f"{part} belongs to nobody." in refused(file, f"chown root {part}")
    os.chown(part, 0, GROUP)
    part.chmod(part.stat().st_mode | 0o020)
    detail = refused(file, f"chmod go-w {part}")
    assert f"{part} is writable by group {GROUP}." in detail


@pytest.mark.usefixtures("as_root")
def test_link_of_another_user_is_not_followed(file: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, -1)
    (theirs / "link.toml").symlink_to(file)
    assert f"{theirs} belongs to nobody." in refused(theirs / "link.toml", f"chown root {theirs}")
    (tmp_path / "link.toml").symlink_to(file)
    assert load_settings(tmp_path / "link.toml").policy.keep_old is KeepOld.ALWAYS


def test_libpq_gets_only_the_given_parameters(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        "[replication]\nsslmode = 'verify-full'\nsslrootcert = '/ca'\nrequire_auth = ''\n"
        "channel_binding = 'require'\n[pgpool]\nsslcert = '/c'\nsslkey = '/k'\n"
    )
    settings = load_settings(file)
    assert settings.replication.words == {
        "sslmode": "verify-full",
        "sslrootcert": "/ca",
        "channel_binding": "require",
        "require_auth": "",
    }
    assert settings.pgpool.words == {"sslcert": "/c", "sslkey": "/k"}
    assert Settings().replication.words == Settings().pgpool.words == {}


METHODS = """
[node.1]
host = "server1"
[node.2]
host = "server2"
[method.first]
command = ["/bin/first", "{directory}"]
nodes = [2]
[method.second]
command = ["/bin/second"]
keep_data = true
timeout_s = 5
"""


def test_commands_of_a_node_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(METHODS)
    settings = load_settings(file)
    first = OwnMethod("first", ("/bin/first", "{directory}"))
    second = OwnMethod("second", ("/bin/second",), keep_data=True, timeout_s=5)
    assert settings.methods_of(Target("x", "/data", NodeId(2))) == (first, second)
    assert settings.methods_of(Target("x", "/data", NodeId(1))) == (second,)
    assert settings.methods_of(Target("server2", "/data")) == (first, second)
    assert settings.methods_of(Target("elsewhere", "/data")) == (second,)
