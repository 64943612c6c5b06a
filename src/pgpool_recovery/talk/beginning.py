"""Find the agent's messages in the output of a login, and say why a login has led to no agent.

Between ssh and the agent runs the login shell of the target's user with its startup files, or
whatever the administrator of sshd put in its place. Any of these may print something, exit, or
never run the command. Their output is ignored, up to a limit; when no agent greets, it is reported
as the cause.
"""

import re

from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable, reason_of
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.text import one_line

MARKS = re.compile(rb'{"is"|{"agent": "pgpool-recovery"')
"""What every message begins with, and the greeting of the earliest builds.

Quotes inside a message are escaped, so it occurs nowhere else in one.
"""
MAX_NOISE_BYTES = 2**18
"""The limit for other output before the greeting; a shell that never stops printing ends there."""
KEPT_BYTES = 2000
COMMAND_NOT_FOUND, CANNOT_BE_RUN = 127, 126  # The exit statuses of POSIX shells.
SSH_FAILED = 255
TURNED_AWAY = re.compile(
    r"^(kex|ssh)_exchange_identification: (?!banner)"
    r"|^(Connection (closed|reset) by|Received disconnect from) (?!UNKNOWN)"
    r"|Not allowed at this time",
    re.MULTILINE,
)
DENIED = re.compile(r"^(\S+: )?Permission denied \(", re.MULTILINE)

BY_HAND = "Try it by hand as {user} on {here}: {command}"
NEW_KEY = (
    "ssh-keyscan {host} fetches it, and ssh-keygen -lf, run on that host with the public key in "
    "/etc/ssh, shows the fingerprint that it must have. Host keys are checked whatever ssh_config "
    "says, unless check_host_keys in the settings is false."
)


@record
class Cause:
    """What ssh says, and what to do about it.

    `pattern` matches ssh's message; with `is_tried` the hint ends with a command to try by hand.
    """

    pattern: str
    hint: str
    is_tried: bool = True

    def advice(self) -> str:
        """Return the hint, with the command to try by hand."""
        return f"{self.hint}\n{BY_HAND}" if self.is_tried else self.hint


CAUSES = (
    Cause(
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "If the host was reinstalled, run ssh-keygen -R {host} as {user} on {here} to remove its "
        "old key, then add the new one to ~/.ssh/known_hosts: " + NEW_KEY,
        is_tried=False,
    ),
    Cause(
        "Host key verification failed",
        "Add the host's key to ~/.ssh/known_hosts of {user} on {here}: " + NEW_KEY,
        is_tried=False,
    ),
    Cause(
        r"UNKNOWN port|stdio forwarding failed",
        "The connection goes through a ProxyJump or ProxyCommand; the DETAIL shows what failed "
        "there. The hosts on the way, too, need a key without a passphrase and a known host key.",
    ),
    Cause(
        DENIED.pattern,
        "Add the public key of {user} on {here} to ~/.ssh/authorized_keys of the user there. Only "
        "that user may have write permission on the file, its directory and the home directory. "
        "sshd refuses with the same message an account that is locked, that is not allowed to log "
        "in, or whose login shell does not exist; its log on {host} has the reason.",
    ),
    Cause(
        "Too many authentication failures",
        "ssh offers more keys than that sshd accepts in one login. Set IdentitiesOnly yes and one "
        "IdentityFile in ~/.ssh/config.",
    ),
    Cause(
        TURNED_AWAY.pattern,
        "The connection was closed before sshd asked for a key. PerSourcePenalties in OpenSSH 9.8 "
        "and later does that to an address with failed logins, MaxStartups when there are many "
        "logins at once, and a firewall to an address that it does not allow. Check sshd's log on "
        "{host}.",
    ),
    Cause(
        "during banner exchange",
        "The connection was accepted, but sshd sent nothing. The cause may be a slow name server "
        "(UseDNS in sshd_config), a busy host, or another service on that port. connect_timeout_s "
        "in [ssh] of the settings limits the wait.",
    ),
    Cause(
        "Connection refused",
        "Start sshd on {host}. If it listens on another port, set Port in ~/.ssh/config of {user}, "
        "or options in [ssh] of the settings.",
    ),
    Cause(
        r"(Connection|Operation) timed out|No route to host|(Network|Host) is unreachable",
        "Check that {host} is up, and that no firewall blocks connections to it from {here}.",
    ),
    Cause(
        "Could not resolve hostname",
        "Make the name known on {here}: in DNS, in /etc/hosts, or with HostName in ~/.ssh/config "
        "of {user}.",
    ),
    Cause(
        "Cannot execute command-line and remote command",
        "ssh_config sets a RemoteCommand. Turn it off with "
        'options = ["-o", "RemoteCommand=none"] in [ssh] of the settings.',
        is_tried=False,
    ),
    Cause(
        r"Bad configuration option|Bad owner or permissions|bad configuration options"
        r"|no argument after keyword|extra arguments at end of line|unsupported option",
        "Correct ~/.ssh/config of {user} on {here}, /etc/ssh/ssh_config, or options in [ssh] of "
        "the settings.",
    ),
    Cause(
        "No user exists for uid",
        "Add an entry to passwd(5) on {here} for the user that runs PostgreSQL; ssh needs it.",
        is_tried=False,
    ),
    Cause("", "The login needs a key without a passphrase and a known host key."),
)
NO_LOGIN = re.compile(r"account is (currently )?not available|sftp connections only", re.IGNORECASE)
INSTALL = (
    "Install pgpool-recovery on that host, on the PATH of an ssh login, or set agent.command in "
    "the settings."
)
SHELL_IS_IN_THE_WAY = (
    "Between ssh and the agent is the login shell of the user there. It may be /bin/false, its "
    "startup files may contain an exec or exit, or a ForceCommand in sshd_config or a command= in "
    "authorized_keys may run instead. Run as {user} on {here}, the following command must print a "
    'line that begins with {{"is": "Greeting": {call} </dev/null'
)
NO_SHELL = (
    "Give the user on {host} a login shell, or set user in [ssh] of the settings to a user that "
    f"has one and runs PostgreSQL.\n{BY_HAND}"
)


def message_of(line: bytes, echo: bytes = b"") -> tuple[bytes, bytes]:
    r"""Split a line into the other output before a message, and the message itself.

    That output need not end with a line break. `echo` is a message for an agent, so a login that
    returns it has not sent one.

    >>> message_of(b'Welcome  {"is": "Answer"}')
    (b'Welcome  ', b'{"is": "Answer"}')
    """
    found = MARKS.search(line)
    if found is None or line[found.start() :] == echo:
        return line, b""
    return line[: found.start()], line[found.start() :]


@record
class Caller:
    """The user and command line of an ssh call, for the person who tries it by hand.

    `user` runs ssh on the host `here`, to log in to `host`. `command` is a login that only runs
    true, `call` is the whole command line, and `program` is the agent's command.
    """

    user: str
    here: str
    host: str
    command: str
    call: str
    program: str


@record
class SilentLogin:
    """A login in which no agent has greeted.

    `caller` is None for a local agent. `status` is the exit status of ssh, or of a local agent, and
    None while it runs. `errors` is the standard error of the login, `noise` its other output.
    """

    name: str
    caller: Caller | None
    status: int | None
    errors: str
    noise: str

    @property
    def said(self) -> str:
        """The whole output, standard error last."""
        return "\n".join(filter(None, (self.noise, self.errors)))

    @property
    def news(self) -> str:
        """A line for a user who waits."""
        said = f"; its login has printed: {self.said}" if self.said else ""
        return one_line(f"still waiting for the agent of {self.name}{said}")

    @property
    def is_turned_away(self) -> bool:
        """Whether sshd did not even ask for a key, so a login a moment later may succeed."""
        if self.caller is None or self.status != SSH_FAILED:
            return False
        return _cause_of(self.errors).pattern == TURNED_AWAY.pattern

    def complains(self, what: str) -> bool:
        """Return whether a shell reports this about the agent's command, not about another one."""
        if self.caller is None:
            return False
        return f"{self.caller.program}: {what}".lower() in self.errors.lower()

    def advice(self, hint: str) -> str | None:
        """Return a hint with the names of user, hosts and commands; None for a local agent."""
        return None if self.caller is None else hint.format(**vars(self.caller))


def why_silent(login: SilentLogin) -> RecoveryError:
    """Return the failure of a login that still runs, in which no agent has greeted in time."""
    said = f"Its login has printed: {login.said}" if login.said else None
    return Unreachable(
        f"the agent of {login.name} does not answer",
        detail=said,
        hint=login.advice(SHELL_IS_IN_THE_WAY),
    )


def why_ended(login: SilentLogin) -> RecoveryError:
    """Return the failure of a login, or of a local agent, that ended before a greeting."""
    name, said = login.name, login.said
    if login.caller is not None and login.status == SSH_FAILED:
        return Unreachable(
            f"could not log in to {name} by ssh",
            detail=said,
            hint=login.advice(_cause_of(said).advice()),
        )
    if login.complains("restricted"):
        return Refused(
            f"the login shell of {name} does not run the agent",
            detail=said,
            hint="Give the user there another login shell, or set agent.command in the settings to "
            "a name without a slash; a restricted shell runs no others.",
        )
    if login.status == COMMAND_NOT_FOUND or login.complains("command not found"):
        return Refused(f"{name} has no pgpool-recovery agent", detail=said, hint=INSTALL)
    if login.status == CANNOT_BE_RUN:
        return Refused(
            f"the agent of {name} cannot be run",
            detail=said,
            hint="Make the command, and the Python that its first line names, executable for the "
            "user that runs PostgreSQL there. Neither may be on a filesystem mounted noexec.",
        )
    if login.caller is None:
        return Unreachable(
            f"the agent of {name} ended with status {login.status}", detail=said or None
        )
    return Unreachable(
        f"the ssh login to {name} ended with status {login.status}, but no agent has answered",
        detail=said or None,
        hint=login.advice(NO_SHELL if NO_LOGIN.search(said) else SHELL_IS_IN_THE_WAY),
    )


def why_noisy(login: SilentLogin) -> RecoveryError:
    """Return the failure of a login that does not stop printing."""
    return Unreachable(
        f"the login to {login.name} has printed {MAX_NOISE_BYTES} bytes, but no agent has answered",
        detail=f"The end of its output: {login.said}",
        hint=login.advice(SHELL_IS_IN_THE_WAY),
    )


def _cause_of(said: str) -> Cause:
    return next(one for one in CAUSES if re.search(one.pattern, said, re.MULTILINE))


def why_not_started(program: str, name: str, error: OSError) -> RecoveryError:
    """Return why the program that reaches a node's agent could not even be started on this host."""
    hint = f"Install {program} on this host, or make it executable for the server's user."
    if isinstance(error, PermissionError):
        hint += (
            " If SELinux confines the server (ps -eZ shows postgresql_t), as root: "
            "setsebool -P postgresql_can_rsync on"
        )
    return Unreachable(
        f"could not run {program} to reach {name}: {reason_of(error)}",
        hint=hint,
    )
