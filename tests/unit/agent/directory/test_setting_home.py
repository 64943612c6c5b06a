"""The last writer of the settings of a standby wins: this program, or other scripts."""

import os
import subprocess
from pathlib import Path

import pytest

from pgpool_recovery.agent.directory import setting_home
from pgpool_recovery.agent.directory.setting_home import Home, home_of
from pgpool_recovery.host.stop import Stop

OURS = {
    "primary_conninfo": "host=server1 password='it''s'",
    "primary_slot_name": "pgpool_node_2",
    "recovery_target_timeline": "latest",
}
THEIRS = """\
primary_conninfo = 'host=server3 port=5432 user=repl'
recovery_target_timeline = 'latest'
restore_command = 'scp server3:/archive/%f %p'
primary_slot_name = 'server2'
"""


def in_force(directory: Path, name: str) -> str | None:
    return Home(directory, directory).value(name)


def sample_writes(directory: Path) -> None:
    """Change the files as follow_primary.sh and recovery_1st_stage of the samples do."""
    file = directory / "myrecovery.conf"
    file.write_text(THEIRS)
    include = f"include_if_exists = '{file}'"
    main = directory / "postgresql.conf"
    lines = [line for line in main.read_text().splitlines() if line != include]
    main.write_text("\n".join([*lines, include]) + "\n")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "postgresql.conf").write_text("port = 5432\nshared_buffers = 1GB\n")
    (tmp_path / "postgresql.conf").chmod(0o640)
    (tmp_path / "postgresql.auto.conf").write_text("# Do not edit\nwork_mem = '8MB'\n")
    return tmp_path


def test_first_recovery_writes_where_the_samples_write(data: Path) -> None:
    file = Home(data, data).write(OURS)
    assert file == data / "myrecovery.conf"
    assert file.stat().st_mode & 0o777 == 0o600
    main = data / "postgresql.conf"
    text = "port = 5432\nshared_buffers = 1GB\ninclude_if_exists = 'myrecovery.conf'\n"
    assert main.read_text() == text
    assert main.stat().st_mode & 0o777 == 0o640
    assert (data / "postgresql.auto.conf").read_text() == "# Do not edit\nwork_mem = '8MB'\n"
    for name, value in OURS.items():
        assert in_force(data, name) == value


def test_last_writer_wins(data: Path) -> None:
    for _ in range(2):
        Home(data, data).write(OURS)
        assert in_force(data, "primary_slot_name") == "pgpool_node_2"
        sample_writes(data)
        assert in_force(data, "primary_slot_name") == "server2"
        assert "server3" in str(in_force(data, "primary_conninfo"))
    Home(data, data).write(OURS)
    # Everything else in their file belongs to the node.
    assert in_force(data, "restore_command") == "scp server3:/archive/%f %p"
    assert (data / "postgresql.conf").read_text().count("myrecovery.conf") == 2


def test_lines_of_an_older_build_are_removed_from_auto(data: Path) -> None:
    auto = data / "postgresql.auto.conf"
    with auto.open("a") as file:
        file.write("".join(f"{name} = 'of old'\n" for name in OURS))
    Home(data, data).write(OURS)
    assert auto.read_text() == "# Do not edit\nwork_mem = '8MB'\n"
    sample_writes(data)
    assert in_force(data, "primary_slot_name") == "server2"


def test_a_script_that_writes_auto_wins_too(data: Path) -> None:
    """For example pg_basebackup -R and ALTER SYSTEM."""
    Home(data, data).write(OURS)
    with (data / "postgresql.auto.conf").open("a") as file:
        file.write("primary_conninfo = 'host=theirs'\n")
    assert in_force(data, "primary_conninfo") == "host=theirs"
    Home(data, data).write(OURS)
    assert in_force(data, "primary_conninfo") == OURS["primary_conninfo"]


@pytest.mark.parametrize("where", ["conf.d/50-standby.conf", "postgresql.conf"])
def test_settings_stay_in_the_file_that_has_them(data: Path, where: str) -> None:
    (data / "conf.d").mkdir()
    with (data / "postgresql.conf").open("a") as main:
        main.write("include_dir 'conf.d'\n")
    with (data / where).open("a") as file:
        file.write("primary_conninfo = 'host=old'\nwal_retrieve_retry_interval = 1s\n")
    assert Home(data, data).write(OURS) == data / where
    text = (data / where).read_text()
    assert "host=old" not in text
    assert "wal_retrieve_retry_interval = 1s\n" in text
    assert not (data / "myrecovery.conf").exists()
    # Their script changes its own line.
    changed = [
        "primary_conninfo = 'host=theirs'" if line.startswith("primary_conninfo") else line
        for line in text.splitlines()
    ]
    (data / where).write_text("\n".join(changed))
    assert in_force(data, "primary_conninfo") == "host=theirs"


def test_only_auto_wins_over_a_later_file(data: Path) -> None:
    """primary_conninfo is in one file, the slot in a later one that is not ours."""
    (data / "conf.d").mkdir()
    (data / "conf.d" / "a.conf").write_text("primary_conninfo = 'host=old'\n")
    (data / "conf.d" / "b.conf").write_text("primary_slot_name = 'other'\n")
    with (data / "postgresql.conf").open("a") as main:
        main.write("include_dir 'conf.d'\n")
    file = Home(data, data).write(OURS)
    assert file == data / "conf.d" / "a.conf"
    assert "primary_slot_name" in (data / "postgresql.auto.conf").read_text()
    assert in_force(data, "primary_conninfo") == OURS["primary_conninfo"]
    assert in_force(data, "primary_slot_name") == "pgpool_node_2"


def test_configuration_of_another_place_is_left_alone(tmp_path: Path) -> None:
    """Such as Debian's: what scripts cannot change there either goes to postgresql.auto.conf."""
    data, etc = tmp_path / "main", tmp_path / "etc"
    data.mkdir()
    etc.mkdir()
    (etc / "postgresql.conf").write_text("port = 5432\n")
    home = Home(data, data, etc / "postgresql.conf")
    assert home.write({**OURS, "port": "5433"}) == data / "postgresql.auto.conf"
    assert (etc / "postgresql.conf").read_text() == "port = 5432\n"
    assert home.value("port") == "5433"
    # With an include of a file in the data directory, as in scripts made for Debian:
    (etc / "postgresql.conf").write_text(f"include_if_exists '{data}/myrecovery.conf'\n")
    assert home.write(OURS) == data / "myrecovery.conf"
    assert home.value("primary_slot_name") == "pgpool_node_2"
    assert "primary" not in (data / "postgresql.auto.conf").read_text()


@pytest.mark.parametrize("kind", ["link", "readonly"])
def test_main_file_that_is_not_ours_is_left_alone(data: Path, kind: str) -> None:
    main = data / "postgresql.conf"
    before = main.read_text()
    if kind == "link":
        elsewhere = data.parent / "managed.conf"
        main.rename(elsewhere)
        main.symlink_to(elsewhere)
    else:
        main.chmod(0o400)
    assert Home(data, data).write(OURS) == data / "postgresql.auto.conf"
    assert main.read_text() == before
    assert main.is_symlink() == (kind == "link")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for chattr(1)")
@pytest.mark.parametrize("attribute", ["i", "a"])
@pytest.mark.parametrize("name", ["postgresql.conf", "myrecovery.conf"])
def test_file_that_cannot_be_replaced_is_left_alone(data: Path, name: str, attribute: str) -> None:
    """Tools that manage a configuration set the attribute so that no user changes it by hand."""
    sample_writes(data)
    file = data / name
    before = {path: path.read_bytes() for path in data.iterdir()}
    if subprocess.run(["chattr", f"+{attribute}", file], check=False).returncode != 0:
        pytest.skip("this filesystem has no attributes")
    try:
        home = Home(data, data)
        assert file not in home.files()
        home.write(OURS | {"port": "5433"})
        assert file.read_bytes() == before[file]
        for setting, value in OURS.items():
            assert in_force(data, setting) == value
        home.take_out(OURS)
        assert file.read_bytes() == before[file]
    finally:
        subprocess.run(["chattr", f"-{attribute}", file], check=True)


@pytest.mark.parametrize("where", ["beside", "inside"])
def test_copy_on_its_way_to_its_place(data: Path, tmp_path: Path, where: str) -> None:
    """Names in the copy's files are those of its future place; old data there stays unchanged."""
    sample_writes(data)
    copy = (tmp_path.parent / f"{tmp_path.name}.new") if where == "beside" else tmp_path / "w/new"
    copy.mkdir(parents=True)
    for name in ("postgresql.conf", "postgresql.auto.conf", "myrecovery.conf"):
        (copy / name).write_text((data / name).read_text())
    for _ in range(2):
        assert Home(copy, data).write(OURS) == copy / "myrecovery.conf"
    (copy / "postgresql.conf").write_text("include_if_exists 'myrecovery.conf'\n")
    assert Home(copy, data).write(OURS) == copy / "myrecovery.conf"
    assert "primary" not in (copy / "postgresql.auto.conf").read_text()
    assert (data / "myrecovery.conf").read_text() == THEIRS
    assert "pgpool_node_2" in (copy / "myrecovery.conf").read_text()


@pytest.mark.parametrize("where", ["myrecovery.conf", "postgresql.auto.conf", "postgresql.conf"])
def test_what_is_only_emptied_stays_in_its_line(data: Path, where: str) -> None:
    sample_writes(data)
    with (data / where).open("a") as file:
        file.write("restore_command = 'cp /archive/%f %p'\n")
    for _ in range(2):
        assert Home(data, data).write({**OURS, "restore_command": ""}) == data / "myrecovery.conf"
        assert in_force(data, "restore_command") == ""
        assert "restore_command = 'cp /archive/%f %p'\n" in (data / where).read_text()
    for name in ("myrecovery.conf", "postgresql.auto.conf"):
        assert (data / name).read_text().count("restore_command = ''\n") <= 1


def test_port_is_in_the_main_file(data: Path) -> None:
    """The samples change it there, and not in the file that they write again for each primary."""
    with (data / "postgresql.auto.conf").open("a") as file:
        file.write("port = '5432'\n")
    Home(data, data).write({**OURS, "port": "5433"})
    assert "port = '5433'\n" in (data / "postgresql.conf").read_text()
    assert "port" not in (data / "postgresql.auto.conf").read_text()
    sample_writes(data)
    assert in_force(data, "port") == "5433"


def test_files_that_may_change_are_known_before(data: Path) -> None:
    for _ in range(2):
        home = Home(data, data)
        known = set(home.files())
        before = {path: path.read_bytes() for path in data.iterdir()}
        home.write({**OURS, "port": "5433"})
        changed = {path for path in data.iterdir() if before.get(path) != path.read_bytes()}
        assert changed <= known
        sample_writes(data)


def test_file_that_is_missing_or_bytes_of_others_do_no_harm(data: Path) -> None:
    main = data / "postgresql.conf"
    main.write_bytes(b"search_path = '\xe4\xc2\x85'\n" + main.read_bytes())
    Home(data, data).write(OURS)
    assert main.read_bytes().startswith(b"search_path = '\xe4\xc2\x85'\n")
    with main.open("a") as file:
        file.write("include 'gone.conf'\n")
    Home(data, data).write(OURS)
    auto = (data / "postgresql.auto.conf").read_text()
    assert "pgpool_node_2" in auto  # A server that cannot read its files is another matter.


def test_home_of_a_directory_with_its_own_configuration(data: Path) -> None:
    assert home_of(data, data, Stop()) == Home(data, data)


def test_line_that_is_overridden_by_an_empty_value_stays(data: Path) -> None:
    sample_writes(data)
    for _ in range(2):
        assert Home(data, data).write({**OURS, "restore_command": ""}) == data / "myrecovery.conf"
        assert in_force(data, "restore_command") == ""
    lines = (data / "myrecovery.conf").read_text().split("\n")
    assert [line for line in lines if line.startswith("restore_command")] == [
        "restore_command = 'scp server3:/archive/%f %p'",
        "restore_command = ''",
    ]


def test_setting_in_auto_is_overridden_there(data: Path) -> None:
    sample_writes(data)
    auto = data / "postgresql.auto.conf"
    auto.write_text("restore_command = 'scp old:/archive/%f %p'\n")
    assert Home(data, data).write({**OURS, "restore_command": ""}) == data / "myrecovery.conf"
    assert in_force(data, "restore_command") == ""
    assert in_force(data, "primary_conninfo") == OURS["primary_conninfo"]
    assert auto.read_text() == (
        "restore_command = 'scp old:/archive/%f %p'\nrestore_command = ''\n"
    )


def test_auto_is_written_once_so_the_settings_are_never_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running server may be told to reload at any moment."""
    data = tmp_path / "main"
    data.mkdir()
    (data / "postgresql.auto.conf").write_text("primary_conninfo = 'host=old'\n")
    (tmp_path / "postgresql.conf").write_text("port = 5432\n")
    written = []
    monkeypatch.setattr(setting_home, "replace_auto", lambda _file, text: written.append(text))
    Home(data, data, tmp_path / "postgresql.conf").write(OURS)
    (text,) = written
    assert "server1" in text
    assert "host=old" not in text


def test_new_file_can_be_read_by_those_who_can_read_the_data_directory(data: Path) -> None:
    data.chmod(0o750)
    file = Home(data, data).write(OURS)
    assert file.stat().st_mode & 0o777 == 0o640


def test_file_being_written_has_a_name_that_base_backups_leave_out(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PG_TEMP_FILE_PREFIX: what a crash leaves may contain a password."""
    grew: list[str] = []
    real = os.rename

    def renamed(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        grew.append(source)
        real(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", renamed)
    Home(data, data).write(OURS)
    assert {"pgsql_tmp.myrecovery.conf.new", "pgsql_tmp.postgresql.conf.new"} <= set(grew)
    assert all(name.startswith("pgsql_tmp") or name.endswith(".auto.conf.tmp") for name in grew)


def test_file_keeps_its_group(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """postgresql.conf may be readable for a group that is not the server's first one."""
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "getgroups", lambda: [1])
    group = next((one for one in os.getgroups() if one != os.getegid()), None)
    if group is None:
        pytest.skip("this user is in no second group")
    main = data / "postgresql.conf"
    os.chown(main, -1, group)
    main.chmod(0o640)
    Home(data, data).write(OURS)
    assert "myrecovery.conf" in main.read_text()
    assert (main.stat().st_gid, main.stat().st_mode & 0o777) == (group, 0o640)


def test_directory_in_an_included_one_is_skipped(data: Path) -> None:
    (data / "conf.d" / "old.conf").mkdir(parents=True)
    with (data / "postgresql.conf").open("a") as main:
        main.write("include_dir 'conf.d'\n")
    assert Home(data, data).write(OURS) == data / "myrecovery.conf"


def test_lines_that_begin_with_a_blank_stay_where_only_an_empty_value_is_added(data: Path) -> None:
    auto = data / "postgresql.auto.conf"
    auto.write_text("  work_mem = '8MB'\n  restore_command = 'cp /archive/%f %p'\n")
    Home(data, data).write({**OURS, "restore_command": ""})
    assert auto.read_text().startswith("  work_mem = '8MB'\n  restore_command = 'cp")
    assert in_force(data, "restore_command") == ""


@pytest.mark.parametrize("where", ["postgresql.conf", "postgresql.auto.conf", "myrecovery.conf"])
def test_server_that_is_no_longer_a_standby_has_none_of_its_settings(
    data: Path, where: str
) -> None:
    """For example after the second stage of native replication."""
    home = Home(data, data)
    home.write({"primary_slot_name": "pgpool_node_2"})
    with (data / where).open("a") as file:
        file.write("primary_conninfo = 'host=server1'\nmaintenance_work_mem = 1GB\n")
    home.take_out(OURS)
    assert [home.value(name) for name in OURS] == [None, None, None]
    assert home.value("maintenance_work_mem") == "1GB", "a setting that is not named stays"
