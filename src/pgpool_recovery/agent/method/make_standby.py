"""Make a data directory a standby of the primary, with the node's own configuration."""

from collections.abc import Mapping
from pathlib import Path

from pgpool_recovery.agent.directory.configuration import read_configuration_file, replace_auto
from pgpool_recovery.agent.directory.links import lead_to_places
from pgpool_recovery.agent.directory.modes import file_mode, make_location
from pgpool_recovery.agent.directory.neutral import neutralise
from pgpool_recovery.agent.directory.own_files import keep_own_files, own_directory
from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.directory.setting_home import Home, home_of, put_back
from pgpool_recovery.agent.directory.workspace import remove
from pgpool_recovery.domain.data_directory import (
    AUTO_CONFIGURATION,
    RECOVERY_SIGNAL,
    SIGNALS,
    STANDBY_SIGNAL,
    WORKSPACE,
)
from pgpool_recovery.domain.event import Say
from pgpool_recovery.domain.record import record
from pgpool_recovery.facts.step.standby import ConfigureStandby, Repoint, RepointRunning
from pgpool_recovery.files.write import sync, write_file
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.postgres.conninfo import format_conninfo


def configure_standby(step: ConfigureStandby, own_login: OwnLogin, stop: Stop, tell: Say) -> None:
    """Give the copy the node's own files and the settings of a standby.

    ``standby.signal`` is written before the settings: a copy that is started without the file would
    become an independent primary, while one without the settings only waits.
    """
    new = Path(step.places.data.new)
    own = own_directory(Path(step.places.data.path))
    _drop_workspace(new, stop, tell)
    _signal(new)
    lead_to_places(step.places)
    keep_own_files(own, new)
    _write(home_of(new, Path(step.places.data.path), stop), standby_settings(step, own_login), tell)
    is_copy = step.is_of_primary and not (own / AUTO_CONFIGURATION).exists()
    place, programs = Path(step.places.data.path), Path(step.bin_directory)
    neutralise(new, place, programs, stop, tell, is_copy=is_copy)
    sync(new)


def _drop_workspace(copy: Path, stop: Stop, tell: Say) -> None:
    """Remove the workspace of another node from a copy: a base backup and pg_rewind bring it along.

    It is in the data directory of a node that was recovered there, at a mount point. This node
    would take what is in it for old data and a journal of its own, and could not put the copy into
    place if its own workspace is there, too.
    """
    workspace = copy / WORKSPACE
    if workspace.is_dir():
        remove(workspace, stop.got_on)
        tell(f"removed {WORKSPACE} from the copy: it is of a recovery of the node that was copied")


@record
class Before:
    """The files of a directory before it was made a standby; None for a file that did not exist.

    Their paths need not begin with `directory`: a configuration may name one through a link.
    """

    directory: Path
    texts: dict[Path, str | None]

    def restore(self) -> None:
        """Restore them."""
        for file, text in self.texts.items():
            if text is None:
                remove(file)
            elif file == self.directory / AUTO_CONFIGURATION:
                replace_auto(file, text)
            else:
                put_back(file, text)
        sync(self.directory)


def before_repoint(step: Repoint | RepointRunning, stop: Stop) -> Before:
    """Return the files that `repoint` or `repoint_running` will change, with their contents."""
    data = Path(step.places.data.path)
    files = [*home_of(data, data, stop).files()]
    if isinstance(step, Repoint):
        files += [data / name for name in SIGNALS]
    return Before(data, {file: read_configuration_file(file) for file in files})


def _write(home: Home, settings: Mapping[str, str], tell: Say) -> None:
    """Write settings, and report the file if it is a different one than before."""
    had = home.file_of("primary_conninfo")
    file = home.write(settings)
    if file != had:
        is_below = file.is_relative_to(home.directory)
        shown = file.relative_to(home.directory) if is_below else file
        tell(f"primary_conninfo is now in {shown}")


def repoint(step: Repoint, own_login: OwnLogin, stop: Stop, tell: Say) -> None:
    """Make a directory a standby of the primary in place."""
    data = Path(step.places.data.path)
    for location in step.new_locations:
        make_location(Path(location), data)
    _signal(data)
    _write(home_of(data, data, stop), standby_settings(step, own_login), tell)
    neutralise(data, data, Path(step.bin_directory), stop, tell, is_copy=False)
    sync(data)


def repoint_running(step: RepointRunning, own_login: OwnLogin, stop: Stop, tell: Say) -> None:
    """Write the settings of a standby of the primary for a server that is running.

    The server does not notice before it is told to reload (agent/server/running.py).
    """
    data = Path(step.places.data.path)
    for location in step.new_locations:
        make_location(Path(location), data)
    _write(home_of(data, data, stop), leading_settings(step, own_login), tell)


def _signal(directory: Path) -> None:
    write_file(directory / STANDBY_SIGNAL, "", mode=file_mode(directory))
    remove(directory / RECOVERY_SIGNAL)


def standby_settings(step: ConfigureStandby | Repoint, own_login: OwnLogin) -> dict[str, str]:
    """Return the settings that must override everything in the node's files."""
    settings = {**leading_settings(step, own_login), "recovery_target_timeline": "latest"}
    if isinstance(step, ConfigureStandby) and step.backup is not None:
        from pgpool_recovery.agent.method.restore import archive_settings

        settings |= archive_settings(step.backup, step.places.data.path)
    return settings if step.port is None else {**settings, "port": str(step.port)}


def leading_settings(
    step: ConfigureStandby | Repoint | RepointRunning, own_login: OwnLogin
) -> dict[str, str]:
    """Return what points a standby at its primary, which a server also applies by a reload.

    The result contains the node's own secrets, which stay where they were: in its files.
    """
    secrets = own_login.secrets(step.conninfo)
    archive = {"restore_command": ""} if step.drops_restore_command else {}
    if step.restore_command is not None:
        archive = {"restore_command": step.restore_command}
    return {
        "primary_conninfo": format_conninfo({**step.conninfo, **secrets}),
        "primary_slot_name": step.slot_name,
        **archive,
    }
