"""Who goes back to his scripts is told what recoveries have left in a data directory."""

from pathlib import Path

from pgpool_recovery.agent.directory.setting_home import Home
from pgpool_recovery.install.left_behind import left_behind

SETTINGS = {
    "primary_conninfo": "host=server0",
    "primary_slot_name": "pgpool_node_1",
    "recovery_target_timeline": "latest",
}


def test_directory_without_anything_of_a_recovery(tmp_path: Path) -> None:
    assert list(left_behind(tmp_path)) == []
    (tmp_path / "postgresql.auto.conf").write_text("primary_slot_name = 'theirs'\n")
    (tmp_path / "pg_replslot/theirs").mkdir(parents=True)
    assert list(left_behind(tmp_path)) == []


def test_settings_where_scripts_write_need_no_sql(tmp_path: Path) -> None:
    (tmp_path / "postgresql.conf").write_text("port = 5432\n")
    Home(tmp_path, tmp_path).write(SETTINGS)
    [said] = left_behind(tmp_path)
    assert f"which is set in {tmp_path}/myrecovery.conf" in said
    assert "ALTER SYSTEM" not in said


def test_settings_of_an_older_build_and_slots(tmp_path: Path) -> None:
    lines = "".join(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
    (tmp_path / "postgresql.auto.conf").write_text(lines)
    for name in ("pgpool_node_2", "pgpool_node_1", "other"):
        (tmp_path / "pg_replslot" / name).mkdir(parents=True)
    _, auto, slots = left_behind(tmp_path)
    assert auto.endswith(
        "ALTER SYSTEM RESET primary_conninfo; ALTER SYSTEM RESET primary_slot_name; "
        "ALTER SYSTEM RESET recovery_target_timeline"
    )
    assert "slots pgpool_node_1, pgpool_node_2 stay" in slots
    assert "IN ('pgpool_node_1', 'pgpool_node_2') AND NOT active" in slots
