"""Make the copy a standby of the primary, with the node's own configuration."""

from pathlib import Path

from pgpool_recovery.agent.base_backup import relink
from pgpool_recovery.agent.configuration import own_password, write_standby_settings
from pgpool_recovery.agent.own_files import keep_own_files, own_directory
from pgpool_recovery.agent.swap import note_former_slot
from pgpool_recovery.agent.workspace import sync
from pgpool_recovery.plan.step import ConfigureStandby
from pgpool_recovery.postgres.conninfo import format_conninfo


def configure_standby(step: ConfigureStandby) -> None:
    """Give the copy the node's own files and the settings of a standby.

    ``standby.signal`` is written before the settings: a copy that is started without it would
    become a primary of its own, one without settings only waits.
    """
    new = Path(step.places.data.new)
    own = own_directory(Path(step.places.data.path))
    (new / "standby.signal").touch(mode=0o600)
    relink(step.places)
    keep_own_files(own, new)
    write_standby_settings(new, standby_settings(step, own))
    if step.former_slot_name is not None:
        note_former_slot(step.places, step.former_slot_name)
    sync(new / "standby.signal")
    sync(new)


def standby_settings(step: ConfigureStandby, own: Path) -> dict[str, str]:
    """Return what has to win over all that the node's files say."""
    password = own_password(own, step.conninfo["user"])
    secret = {} if password is None else {"password": password}
    settings = {
        "primary_conninfo": format_conninfo({**step.conninfo, **secret}),
        "primary_slot_name": step.slot_name,
        "recovery_target_timeline": "latest",
    }
    return settings if step.port is None else {**settings, "port": str(step.port)}
