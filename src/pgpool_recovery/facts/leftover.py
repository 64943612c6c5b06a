"""Leftover settings and files that would keep a server from being a plain standby."""

from pgpool_recovery.domain.record import record

TARGETS = (
    "recovery_target",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_xid",
)
"""Settings that end replay: at the target the standby shuts down, pauses, or promotes itself."""
AT_TARGET = ("recovery_target_action", "recovery_target_inclusive")
"""What happens at the target; without one they have no effect (validateRecoveryParameters)."""
TIMELINE = "recovery_target_timeline"
TRIGGER_FILE = "promote_trigger_file"
"""Up to PostgreSQL 15: a file that promotes the standby as soon as it exists."""
TRIGGER_FILE_UNTIL = 15
DELAY = "recovery_min_apply_delay"
COMMANDS = ("archive_cleanup_command", "recovery_end_command")
"""Commands that the server runs through a shell; they may hold a password, so are never shown.

archive_cleanup_command runs at each restartpoint of a standby, and removes from an archive what the
standby no longer needs. recovery_end_command runs once, when it is promoted
(ExecuteRecoveryCommand in xlog.c). Neither changes what the standby replays.
"""
TAKEN_OUT = (*TARGETS, *AT_TARGET)
LEADING = ("primary_conninfo", "primary_slot_name")
OLD_FILE = "recovery.conf"
"""PostgreSQL before 12 has it; later versions refuse to start with it (readRecoverySignalFile)."""
DEFAULTS = {TIMELINE: "latest", DELAY: "0", "recovery_target_action": "pause"} | {
    "recovery_target_inclusive": "on"
}


@record
class Leftover:
    """A setting that a plain standby does not have; `source` says where it comes from.

    `is_on_command_line`: no file can override it. `value` is empty if it may hold a secret.
    """

    name: str
    value: str
    source: str
    is_on_command_line: bool = False

    def __str__(self) -> str:
        what = f"{self.name} = '{self.value}'" if self.value else self.name
        return f"{what} from {self.source}"


@record
class LeftFiles:
    """Files in the data directory that decide what a server becomes.

    `marks` are files of a tool that no longer manages it.
    """

    has_recovery_signal: bool = False
    has_recovery_conf: bool = False
    marks: tuple[str, ...] = ()


NO_FILES = LeftFiles()


def is_default(name: str, value: str) -> bool:
    """Return whether a setting has its default value.

    >>> [is_default("recovery_target_time", ""), is_default("recovery_target_timeline", "3")]
    [True, False]
    """
    return value == DEFAULTS.get(name, "")


def told_value(name: str, value: str) -> str:
    """Return what may be shown of a value; the server reports the delay in milliseconds."""
    if name in (*COMMANDS, *LEADING):
        return ""
    return f"{value}ms" if name == DELAY else value
