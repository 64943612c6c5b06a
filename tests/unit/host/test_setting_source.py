"""The file and line of a setting, in files that include each other."""

from pathlib import Path

import pytest

from pgpool_recovery.host.setting_source import find_sources


def places(*files: Path) -> dict[str, str]:
    """Return where settings are, in files that could all be read."""
    found = find_sources(files)
    assert found.is_whole
    return {name: str(source) for name, source in found.settings.items()}


def test_last_line_of_all_files_counts(tmp_path: Path) -> None:
    main, auto = tmp_path / "postgresql.conf", tmp_path / "postgresql.auto.conf"
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10.conf").write_text("\nrecovery_target = immediate\n")
    (tmp_path / "conf.d" / "20.conf").write_text("include '../deep.conf'\n")
    (tmp_path / "conf.d" / "30.off").write_text("recovery_target_time = 'not read'\n")
    (tmp_path / "deep.conf").write_text("# one\nRecovery_Target_Time '2026'\n")
    main.write_text(
        "recovery_target_time = 'first'\ninclude_dir = 'conf.d'\ninclude_if_exists 'nothing'\n"
    )
    assert places(main, auto) == {
        "recovery_target": f"{tmp_path}/conf.d/10.conf:2",
        "recovery_target_time": f"{tmp_path}/deep.conf:2",
    }
    auto.write_text("recovery_target_time = 'last'\n")
    assert places(main, auto)["recovery_target_time"] == f"{auto}:1"


@pytest.mark.parametrize(
    "line",
    [
        "max_connections'200'",
        "max_connections+200",
        "max_connections=200",
        "max_connections =+200#",
        "\rMax_connections\t200",
    ],
)
def test_neither_blank_nor_equals_sign_is_needed(tmp_path: Path, line: str) -> None:
    """As `postgres -C` reads them; a digit would belong to the name."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10.conf").write_text(line + "\n")
    (tmp_path / "postgresql.conf").write_text("include_dir'conf.d'\nmax_connections5 'x'\n")
    found = places(tmp_path / "postgresql.conf")
    assert found["max_connections"] == f"{tmp_path}/conf.d/10.conf:1"


def test_byte_beyond_ascii_is_a_letter(tmp_path: Path) -> None:
    file = tmp_path / "postgresql.conf"
    file.write_bytes("a.porté'x'\n".encode("latin-1"))
    assert list(places(file)) == ["a.port\udce9"]


@pytest.mark.parametrize(
    ("line", "is_understood"),
    [("", True), (" \t\r", True), ("\t# 5", True), ("5 = x", False), ("\fport = 5", False)],
)
def test_line_that_is_not_understood_is_noticed(
    tmp_path: Path, line: str, *, is_understood: bool
) -> None:
    file = tmp_path / "postgresql.conf"
    file.write_text(line + "\n")
    assert find_sources([file]).is_whole is is_understood


def test_file_that_includes_itself_comes_to_an_end(tmp_path: Path) -> None:
    file = tmp_path / "postgresql.conf"
    file.write_text("include 'postgresql.conf'\nrecovery_target = immediate\n")
    found = find_sources([file])
    assert str(found.settings["recovery_target"]) == f"{file}:2"
    assert not found.is_whole


@pytest.mark.parametrize(
    "line", ["#recovery_target = x", "recovery_targets = x", "x.recovery_target = y"]
)
def test_other_lines_do_not(tmp_path: Path, line: str) -> None:
    file = tmp_path / "postgresql.conf"
    file.write_text(line + "\n")
    assert "recovery_target" not in find_sources([file]).settings


@pytest.mark.parametrize("line", ["include 'nothing'", "include_dir 'nothing'", r"include 'a\'b'"])
def test_file_that_cannot_be_read_is_noticed(tmp_path: Path, line: str) -> None:
    """The server may find it elsewhere later, or interpret the name differently."""
    file = tmp_path / "postgresql.conf"
    file.write_text(line + "\n")
    assert not find_sources([file]).is_whole


def test_files_that_include_each_other_come_to_an_end(tmp_path: Path) -> None:
    """Each includes all ten times; without a limit that would be ten thousand million files."""
    lines = "include_if_exists 'other.conf'\n" * 10
    (tmp_path / "other.conf").write_text(lines)
    assert not find_sources([tmp_path / "other.conf"]).is_whole


def test_files_are_found_where_they_are_now(tmp_path: Path) -> None:
    """Missing files, too, since the server would read them there."""
    now, later = tmp_path / "new", tmp_path / "main"
    now.mkdir()
    (now / "postgresql.conf").write_text(f"include_if_exists '{later}/mine.conf'\n")
    found = find_sources(
        [now / "postgresql.conf"], lambda path: now / path.name if path.parent == later else path
    )
    assert found.files == [now / "postgresql.conf", now / "mine.conf"]
    assert found.is_whole
