"""Where a setting stands, in files that include each other."""

from pathlib import Path

import pytest

from pgpool_recovery.host.setting_source import find_sources


def places(*files: Path) -> dict[str, str]:
    """Return where settings of one kind stand, in files that could all be read."""
    found = find_sources(files)
    assert found.is_whole
    return {name: place for name, place in found.places.items() if name.startswith("recovery")}


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
        "recovery_target_time": f"{tmp_path}/conf.d/../deep.conf:2",
    }
    auto.write_text("recovery_target_time = 'last'\n")
    assert places(main, auto)["recovery_target_time"] == f"{auto}:1"


def test_file_that_includes_itself_comes_to_an_end(tmp_path: Path) -> None:
    file = tmp_path / "postgresql.conf"
    file.write_text("include 'postgresql.conf'\nrecovery_target = immediate\n")
    found = find_sources([file])
    assert found.places["recovery_target"] == f"{file}:2"
    assert not found.is_whole


@pytest.mark.parametrize(
    "line", ["#recovery_target = x", "recovery_targets = x", "x.recovery_target = y"]
)
def test_other_lines_do_not(tmp_path: Path, line: str) -> None:
    file = tmp_path / "postgresql.conf"
    file.write_text(line + "\n")
    assert "recovery_target" not in find_sources([file]).places


@pytest.mark.parametrize("line", ["include 'nothing'", "include_dir 'nothing'", r"include 'a\'b'"])
def test_file_that_cannot_be_read_is_noticed(tmp_path: Path, line: str) -> None:
    """The server may read it where it is then, or reads the name otherwise."""
    file = tmp_path / "postgresql.conf"
    file.write_text(line + "\n")
    assert not find_sources([file]).is_whole
