"""Report what recoveries have left in a data directory, for a user who uninstalls the commands."""

from collections.abc import Iterator
from pathlib import Path

from pgpool_recovery.agent.directory.setting_home import Home
from pgpool_recovery.domain.data_directory import AUTO_CONFIGURATION
from pgpool_recovery.domain.slot import is_of_a_recovery

SLOTS = "pg_replslot"
SETTINGS = ("primary_conninfo", "primary_slot_name", "recovery_target_timeline")
UNUSED = (
    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
    "WHERE slot_name IN ({}) AND NOT active"
)


def left_behind(data_directory: Path) -> Iterator[str]:
    """Yield a sentence for each thing that stays, and that other recovery scripts do not handle."""
    home = Home(data_directory, data_directory)
    slot = home.value("primary_slot_name")
    if slot is not None and is_of_a_recovery(slot):
        yield (
            f"{data_directory}: as a standby it streams from the slot {slot}, which is set in "
            f"{home.file_of('primary_slot_name')}; the next recovery by other scripts will set "
            "another one there"
        )
        in_auto = [n for n in SETTINGS if home.file_of(n) == data_directory / AUTO_CONFIGURATION]
        if in_auto:
            resets = "; ".join(f"ALTER SYSTEM RESET {name}" for name in in_auto)
            yield (
                f"{data_directory}: {' and '.join(in_auto)} in {AUTO_CONFIGURATION} would override "
                f"what other scripts write. Move the lines to the file that those write, then run: "
                f"{resets}"
            )
    slots = sorted(filter(is_of_a_recovery, _names_in(data_directory / SLOTS)))
    if slots:
        names = ", ".join(f"'{name}'" for name in slots)
        yield (
            f"{data_directory}: the replication slots {', '.join(slots)} stay, since standbys "
            "stream from them, and they retain WAL. When no standby uses them any longer, run: "
            f"{UNUSED.format(names)}"
        )


def _names_in(directory: Path) -> list[str]:
    try:
        return [entry.name for entry in directory.iterdir()]
    except OSError:
        return []
