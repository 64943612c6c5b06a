"""Our lines in pgpool.conf: the previous lines are kept, and can be restored."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.install.pgpool_conf import (
    EMPTIED,
    change_of,
    emptied,
    mode_of,
    our_lines,
    restore,
    with_ours,
    without_ours,
    write,
)
from tests.unit.agent.as_nobody import NOBODY, as_nobody

WORDS = '"%d" "%h"'
COMMAND = ["/usr/local/bin/pgpool-recovery"]
CONF = """\
# Pgpool-II
listen_addresses = '*'
#failover_command = ''
failover_command = '/etc/pgpool-II/failover.sh %d %h' # ours since 2019
  recovery_1st_stage_command 'old'
failover_on_backend_error = off
"""


def lines_for(text: str, settings: Path | None = None) -> dict[str, str]:
    lines = our_lines(text, COMMAND, settings, WORDS)
    return dict(line.split(" = ", 1) for line in lines)


def active(text: str) -> dict[str, str]:
    """Return what Pgpool-II would read: the last line for each parameter."""
    lines = (line.strip() for line in text.splitlines())
    set_by = [line for line in lines if line and not line.startswith("#")]
    pairs = (line.replace("=", " ", 1).split(None, 1) for line in set_by)
    return {name: value.strip() for name, value in pairs}


def test_streaming_replication() -> None:
    assert lines_for(CONF) == {
        "recovery_1st_stage_command": "'recovery_1st_stage'",
        "recovery_2nd_stage_command": "''",
        "failover_command": '\'/usr/local/bin/pgpool-recovery failover "%d" "%h"\'',
        "follow_primary_command": '\'/usr/local/bin/pgpool-recovery follow_primary "%d" "%h"\'',
    }


def test_settings_file_is_named() -> None:
    line = lines_for(CONF, Path("/etc/other.toml"))["failover_command"]
    assert line.startswith("'PGPOOL_RECOVERY_CONFIG=/etc/other.toml /usr/local/bin/pgpool-recovery")


@pytest.mark.parametrize(
    "mode",
    [
        "backend_clustering_mode = 'native_replication'",
        "backend_clustering_mode = snapshot_isolation  # since May",
        "backend_clustering_mode = 'streaming_replication'\nreplication_mode = on",
    ],
)
def test_two_stages(mode: str) -> None:
    """There is no primary to fail over from, so failover_command is left alone."""
    assert lines_for(f"{CONF}{mode}\n") == {
        "recovery_1st_stage_command": "'recovery_1st_stage'",
        "recovery_2nd_stage_command": "'recovery_2nd_stage'",
    }


def test_old_name_of_follow_primary() -> None:
    assert "follow_master_command" in lines_for("#follow_master_command = ''\n")
    assert "follow_primary_command" in lines_for("#follow_primary_command = ''\n")


def test_mode_without_online_recovery() -> None:
    assert mode_of("backend_clustering_mode = 'raw'\n") == "raw"
    with pytest.raises(Refused, match='no online recovery in the mode "raw"'):
        lines_for("backend_clustering_mode = 'raw'\n")


@pytest.mark.parametrize("command", ["/opt/it's/x", "/opt/a b/x", "/opt/100%/x", "/opt/$x"])
def test_command_that_would_be_misread(command: str) -> None:
    with pytest.raises(Refused, match=r"cannot be used in pgpool\.conf"):
        our_lines(CONF, [command], None, WORDS)


def test_ours_win_and_the_others_are_comments() -> None:
    found = active(with_ours(CONF, our_lines(CONF, COMMAND, None, WORDS)))
    assert found == {
        "listen_addresses": "'*'",
        "failover_on_backend_error": "off",
        **lines_for(CONF),
    }


def test_file(tmp_path: Path) -> None:
    """Writing twice changes nothing, and restoring returns the original."""
    file = tmp_path / "pgpool.conf"
    file.write_bytes(CONF.encode() + b"# Gr\xfc\xdfe\n")
    file.chmod(0o640)
    before = file.read_bytes()
    change = change_of(file, COMMAND, None, WORDS)
    assert [line.split()[0] for line in change.replaced] == [
        "failover_command",
        "recovery_1st_stage_command",
    ]
    write(file, change.after)
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["pgpool.conf"]
    again = change_of(file, COMMAND, None, WORDS)
    assert again.after == again.before
    assert restore(file, dry_run=True) is not None
    assert restore(file, dry_run=False) is not None
    assert file.read_bytes() == before + f"follow_primary_command = ''{EMPTIED}\n".encode()
    assert restore(file, dry_run=False) is None


def test_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.conf").write_text(CONF)
    (tmp_path / "pgpool.conf").symlink_to("real.conf")
    write(tmp_path / "pgpool.conf", "x = 1\n")
    assert (tmp_path / "pgpool.conf").is_symlink()
    assert (tmp_path / "real.conf").read_text() == "x = 1\n"


@pytest.mark.usefixtures("as_root")
def test_user_who_cannot_keep_its_group_writes_nothing(tmp_path: Path) -> None:
    """Otherwise users who read it through that group would lose access."""
    file = tmp_path / "pgpool.conf"
    file.write_text(CONF)

    def refused() -> None:
        with pytest.raises(Refused, match=r"Operation not permitted") as caught:
            write(file, "new")
        assert caught.value.hint == "Run it as root, or as its owner."

    as_nobody(tmp_path, refused, {file: 0o640}, gid=0)
    assert (file.read_text(), file.stat().st_gid) == (CONF, 0)
    as_nobody(tmp_path, lambda: write(file, "new"), {file: 0o640}, gid=NOBODY)
    assert (file.read_text(), file.stat().st_gid) == ("new", NOBODY)
    assert os.listdir(tmp_path) == [file.name]


def test_line_that_came_later_is_kept_as_well() -> None:
    """A user has written a line below ours, which would override it."""
    lines = our_lines(CONF, COMMAND, None, WORDS)
    later = with_ours(CONF, lines) + "failover_command = 'mine'\n"
    again = with_ours(without_ours(later), lines)
    assert active(again)["failover_command"] == lines_for(CONF)["failover_command"]
    assert without_ours(again) == CONF + "failover_command = 'mine'\n"


LINES = some.sampled_from(
    ["failover_command = 'a'", "#failover_command = ''", "port = 9999", "", "  failover_command b"]
)


@given(some.lists(LINES))
def test_previous_lines_are_restored(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    ours = our_lines(text, COMMAND, None, WORDS)
    assert without_ours(with_ours(text, ours)) == text


def test_parameter_that_only_we_set_is_set_empty(tmp_path: Path) -> None:
    """Up to 4.6 a reload keeps a removed value in force. The next install starts afresh."""
    file = tmp_path / "pgpool.conf"
    file.write_text(CONF)
    change = change_of(file, COMMAND, None, WORDS)
    write(file, change.after)
    said = restore(file, dry_run=False)
    assert said is not None
    assert "it sets follow_primary_command, not set before, to ''" in said
    assert file.read_text() == f"{CONF}follow_primary_command = ''{EMPTIED}\n"
    assert restore(file, dry_run=False) is None
    again = change_of(file, COMMAND, None, WORDS)
    assert (again.after, again.replaced) == (change.after, change.replaced)


def test_parameter_that_was_set_before_needs_no_empty_line() -> None:
    assert emptied(with_ours("a = 1\n", ["a = 2"])) == ()
    assert emptied("a = 1\n") == ()
