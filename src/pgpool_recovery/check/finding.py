"""Findings of a check, and the closed set of their kinds."""

from collections.abc import Hashable, Iterable
from enum import Enum, StrEnum
from typing import Any, Protocol, TypeVar

from pgpool_recovery.domain.record import record

VERSION = 1


class Severity(StrEnum):
    """How bad a finding is.

    ERROR: a recovery would fail. WARNING: it would move more than necessary. INFO: worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    OK = "ok"


ORDER = tuple(Severity)


class Kind(Enum):
    """What can be found: its name in docs/reference/check.md and in JSON, and its severity."""

    FORECAST = "forecast", Severity.OK
    REFUSED = "refused", Severity.ERROR
    OLD_DATA_GOES = "old data goes", Severity.WARNING
    NO_PRIMARY = "no primary", Severity.ERROR
    NO_STANDBY = "no standby", Severity.INFO
    NOT_REACHED = "not reached", Severity.ERROR
    AGENT_VERSION = "agent version", Severity.WARNING
    SETTINGS_FILE = "settings file", Severity.ERROR
    NO_SSH = "no ssh", Severity.ERROR
    HOST_KEYS = "host keys", Severity.WARNING
    NO_REPLICATION_LOGIN = "no replication login", Severity.ERROR
    NO_REWIND_LOGIN = "no rewind login", Severity.WARNING
    LOGIN_NOT_TRIED = "login not tried", Severity.WARNING
    CONNECTIONS_NOT_TRIED = "connections not tried", Severity.WARNING
    NO_OWN_LOGIN = "no own login", Severity.ERROR
    DOWN = "down", Severity.WARNING
    NOT_STREAMING = "not streaming", Severity.ERROR
    MINOR_RELEASE = "minor release", Severity.WARNING
    SECOND_PRIMARY = "second primary", Severity.ERROR
    OTHER_DATA = "other data", Severity.ERROR
    RECOVERY_TARGET = "recovery target", Severity.ERROR
    REPLAY_PAUSED = "replay paused", Severity.ERROR
    SLOT_TAKEN = "slot taken", Severity.ERROR
    SCRIPT = "stage script", Severity.ERROR
    SCRIPT_VERSION = "stage script version", Severity.WARNING
    FOREIGN_SCRIPT = "foreign stage script", Severity.INFO
    WRITTEN_IN_VAIN = "written in vain", Severity.WARNING
    NO_PYTHON = "no PL/Python", Severity.ERROR
    EXTENSION_FILES = "extension files", Severity.WARNING
    NO_EXTENSION = "no extension", Severity.ERROR
    EXTENSION_NOT_SEEN = "extension not seen", Severity.WARNING
    EXTENSION_ELSEWHERE = "extension elsewhere", Severity.ERROR
    FOREIGN_OWNER = "foreign owner", Severity.WARNING
    OLD_EXTENSION = "old extension", Severity.WARNING
    NOEXEC = "noexec", Severity.ERROR
    CONFINED = "confined server", Severity.ERROR
    PASSWORD_FILE = "password file", Severity.ERROR
    LEFT_SETTING = "leftover setting", Severity.WARNING
    KEPT_SETTING = "setting of a standby", Severity.INFO
    LEFT_MARK = "leftover of a manager", Severity.INFO
    FILES = "file in the way", Severity.WARNING
    NO_HINTS = "no wal_log_hints", Severity.WARNING
    NO_SUMMARIES = "no WAL summaries", Severity.WARNING
    WAL_LEVEL = "wal_level", Severity.ERROR
    WAL_SENDERS = "max_wal_senders", Severity.ERROR
    REPLICATION_SLOTS = "max_replication_slots", Severity.ERROR
    SHUTDOWN_TIMEOUT = "wal_sender_shutdown_timeout", Severity.WARNING
    NO_WAL_KEPT = "no WAL kept", Severity.WARNING
    ORPHANED_SLOT = "orphaned slot", Severity.WARNING
    LAGGING_SLOT = "lagging slot", Severity.WARNING
    STRAY_HISTORY = "stray history", Severity.ERROR
    HISTORY_NOT_ARCHIVED = "history not archived", Severity.ERROR
    ARCHIVER_FAILS = "archiver fails", Severity.WARNING
    SLOW_RESTORE_COMMAND = "slow restore_command", Severity.WARNING
    UNLIMITED_RESTORE_COMMAND = "restore_command without a limit", Severity.INFO
    LOST_SLOT = "lost slot", Severity.WARNING
    IDLE_SLOT = "idle slot", Severity.WARNING
    FAILOVER_SLOT = "failover slot", Severity.WARNING
    AWAITED_SLOT = "synchronized_standby_slots", Severity.ERROR
    SOURCE = "source of copies", Severity.WARNING
    OWN_METHOD = "command of a method", Severity.WARNING
    STAGE_COMMAND = "stage command", Severity.ERROR
    RECOVERY_TIMEOUT = "recovery_timeout", Severity.WARNING
    RECOVERY_USER = "recovery_user", Severity.ERROR
    HOLDS_FAILOVERS_UP = "holds failovers up", Severity.INFO
    TWO_PRIMARIES = "two primaries", Severity.ERROR
    NOT_IN_FORCE = "not in force", Severity.ERROR
    APPLICATION_NAME = "application name", Severity.WARNING
    FALSE_PRIMARY = "false primary", Severity.WARNING
    WARNING_AT_LOGIN = "warning at login", Severity.INFO

    @property
    def title(self) -> str:
        """The name in the documentation."""
        return self.value[0]

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.value[1]


@record
class Finding:
    """A fact about a node, or about the cluster if `node_id` is None, and what to do about it."""

    kind: Kind
    node_id: int | None
    fact: str
    advice: str | None = None

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.kind.severity


class Graded(Hashable, Protocol):
    """Anything that has a severity and belongs to a node, or to none."""

    @property
    def severity(self) -> str:
        """One of Severity; an unknown one comes from a newer build."""

    @property
    def node_id(self) -> int | None:
        """The node; None if it concerns all of them."""


G = TypeVar("G", bound=Graded)


def in_order(findings: Iterable[G]) -> tuple[G, ...]:
    """Return the findings without duplicates, the worst first and then by node.

    An unknown severity counts as the worst.
    """

    def rank(finding: Graded) -> tuple[int, int]:
        node_id = -1 if finding.node_id is None else finding.node_id
        grade = ORDER.index(finding.severity) if finding.severity in ORDER else 0
        return grade, node_id

    return tuple(sorted(dict.fromkeys(findings), key=rank))


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return the findings in JSON types."""
    return {
        "version": VERSION,
        "findings": [
            {
                "severity": str(finding.severity),
                "node_id": finding.node_id,
                "finding": finding.kind.title,
                "fact": finding.fact,
                "advice": finding.advice,
            }
            for finding in findings
        ],
    }
