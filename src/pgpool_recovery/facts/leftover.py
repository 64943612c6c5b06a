"""Settings and files of an earlier life that make a standby something else."""

from pgpool_recovery.domain.record import record

TARGETS = (
    "recovery_target",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_xid",
)
"""Where replay ends: there the standby stops, pauses, or makes itself a primary."""
AT_TARGET = ("recovery_target_action", "recovery_target_inclusive")
"""What happens at the target; without one nothing does (validateRecoveryParameters)."""
TIMELINE = "recovery_target_timeline"
TRIGGER_FILE = "promote_trigger_file"
"""Up to PostgreSQL 15: a file that promotes the standby as soon as it is there."""
TRIGGER_FILE_UNTIL = 15
DELAY = "recovery_min_apply_delay"
COMMANDS = ("archive_cleanup_command", "recovery_end_command")
"""Run by the server as a shell would; the text may hold a password, so it is never told.

archive_cleanup_command runs at each restartpoint of a standby, and removes from an archive what
this one needs no more; recovery_end_command runs once, when it is promoted (xlog.c,
ExecuteRecoveryCommand). Neither changes what the standby replays.
"""
TAKEN_OUT = (*TARGETS, *AT_TARGET)
LEADING = ("primary_conninfo", "primary_slot_name")
SIGNAL = "recovery.signal"
STANDBY_SIGNAL = "standby.signal"
OLD_FILE = "recovery.conf"
"""Of PostgreSQL before 12; later ones do not start where it is (readRecoverySignalFile)."""
DEFAULTS = {TIMELINE: "latest", DELAY: "0", "recovery_target_action": "pause"} | {
    "recovery_target_inclusive": "on"
}


@record
class Leftover:
    """A setting that is not as a standby has it; `source` says where it stands.

    `is_on_command_line`: no file wins over it. The value is empty where it may hold a secret.
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
    """What is in the data directory and decides what a server becomes.

    `marks` are files of a tool that manages it no more.
    """

    has_recovery_signal: bool = False
    has_recovery_conf: bool = False
    marks: tuple[str, ...] = ()


NO_FILES = LeftFiles()


def is_default(name: str, value: str) -> bool:
    """Say whether a setting is as it is where nobody has set it.

    >>> [is_default("recovery_target_time", ""), is_default("recovery_target_timeline", "3")]
    [True, False]
    """
    return value == DEFAULTS.get(name, "")


def told_value(name: str, value: str) -> str:
    """Return what may be told of a value; the server has the delay in milliseconds."""
    if name in (*COMMANDS, *LEADING):
        return ""
    return f"{value}ms" if name == DELAY else value
