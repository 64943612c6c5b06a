"""How a conversation begins, and why it has not: a login, its shell, and then the agent's bytes.

Between ssh and the agent stands the login shell of the target's user with the files that it reads,
or what the administrator of sshd put in its place. All of that may print, end, or never come to the
command. What is printed is passed over, up to a limit; where no agent follows, it is the cause.
"""

import re

from pgpool_recovery.domain.error import RecoveryError, Refused, Unreachable
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.text import one_line

MARKS = re.compile(rb'{"is"|{"agent": "pgpool-recovery"')
"""Begins every message, and the greeting of the earliest builds.

In the text of a message quotes are escaped, so it is nowhere else.
"""
MAX_NOISE_BYTES = 2**18
"""Of what is no message before the greeting; a shell that prints without end has no agent."""
KEPT_BYTES = 2000
COMMAND_NOT_FOUND, CANNOT_BE_RUN = 127, 126  # The statuses of POSIX shells.
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
    "ssh-keyscan {host} fetches it, and ssh-keygen -lf on the file below /etc/ssh of that host "
    "shows what it must be. Keys are checked whatever ssh_config says, unless check_host_keys in "
    "the settings is false."
)


@record
class Cause:
    """What ssh says, and what to do about it; `is_tried`: then by hand."""

    pattern: str
    hint: str
    is_tried: bool = True

    def advice(self) -> str:
        """Return the hint, with the way to try it."""
        return f"{self.hint}\n{BY_HAND}" if self.is_tried else self.hint


CAUSES = (
    Cause(
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "Where the host was installed anew, ssh-keygen -R {host} as {user} on {here} removes its "
        "old key; then add the new one to ~/.ssh/known_hosts: " + NEW_KEY,
        is_tried=False,
    ),
    Cause(
        "Host key verification failed",
        "Add the host's key to ~/.ssh/known_hosts of {user} on {here}: " + NEW_KEY,
        is_tried=False,
    ),
    Cause(
        r"UNKNOWN port|stdio forwarding failed",
        "It was to go through a ProxyJump or ProxyCommand: what failed there is in the DETAIL. The "
        "hosts on the way need a key without a passphrase and a known host key, too.",
    ),
    Cause(
        DENIED.pattern,
        "Add the public key of {user} on {here} to ~/.ssh/authorized_keys of the user there, who "
        "alone may write to it, its directory and the home directory. An account that is locked, "
        "not allowed, or whose login shell does not exist is refused in the same words: sshd's log "
        "on {host} says which.",
    ),
    Cause(
        "Too many authentication failures",
        "ssh offers more keys than that sshd lets anybody try: IdentitiesOnly yes and one "
        "IdentityFile in ~/.ssh/config.",
    ),
    Cause(
        TURNED_AWAY.pattern,
        "Its sshd closed the connection before it looked at a key. PerSourcePenalties of OpenSSH "
        "9.8 and later do that to an address with failed logins, MaxStartups when there are many "
        "logins at once, and a firewall to a stranger: sshd's log on {host} says which.",
    ),
    Cause(
        "during banner exchange",
        "It took the connection, and its sshd said nothing: a slow name server (UseDNS in "
        "sshd_config), a busy host, or another service on that port. connect_timeout_s in [ssh] of "
        "the settings says how long is waited.",
    ),
    Cause(
        "Connection refused",
        "Start sshd on {host}; where it listens on another port, say so by Port in ~/.ssh/config "
        "of {user}, or by options in [ssh] of the settings.",
    ),
    Cause(
        r"(Connection|Operation) timed out|No route to host|(Network|Host) is unreachable",
        "See that {host} is up, and that no firewall stands between it and {here}.",
    ),
    Cause(
        "Could not resolve hostname",
        "Let {here} know the name: in DNS, in /etc/hosts, or by HostName in ~/.ssh/config of "
        "{user}.",
    ),
    Cause(
        "Cannot execute command-line and remote command",
        'A RemoteCommand in ssh_config is in the way: options = ["-o", "RemoteCommand=none"] in '
        "[ssh] of the settings turns it off.",
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
        "ssh needs an entry in passwd(5) for the user that runs PostgreSQL on {here}.",
        is_tried=False,
    ),
    Cause("", "It takes a key without a passphrase and a known host key."),
)
NO_LOGIN = re.compile(r"account is (currently )?not available|sftp connections only", re.IGNORECASE)
INSTALL = (
    "Install pgpool-recovery on that host, on the PATH of a login by ssh, or set agent.command in "
    "the settings."
)
SHELL_IS_IN_THE_WAY = (
    "Between ssh and the agent is the login shell of the user there, such as /bin/false, the files "
    "that it reads, with an exec or exit in them, a ForceCommand of sshd_config, or a command= of "
    'authorized_keys. As {user} on {here}, this has to print a line that begins with {{"is": '
    '"Greeting": {call} </dev/null'
)
NO_SHELL = (
    "Give the user on {host} a login shell, or let ssh log in as one that has it and runs "
    f"PostgreSQL: user in [ssh] of the settings.\n{BY_HAND}"
)


def message_of(line: bytes, echo: bytes = b"") -> tuple[bytes, bytes]:
    r"""Return what a line has before a message, which may have no line break, and the message.

    `echo`: no message of an agent, but one for it.

    >>> message_of(b'Welcome  {"is": "Answer"}')
    (b'Welcome  ', b'{"is": "Answer"}')
    """
    found = MARKS.search(line)
    if found is None or line[found.start() :] == echo:
        return line, b""
    return line[: found.start()], line[found.start() :]


@record
class Caller:
    """Who called ssh, and how, for the person who tries it by hand."""

    user: str
    here: str
    host: str
    command: str
    call: str
    program: str


@record
class SilentLogin:
    """A login in which no agent has greeted; `errors` is its standard error, `noise` the rest.

    `status`: with which ssh, or a local agent, ended; None: it goes on.
    """

    name: str
    caller: Caller | None
    status: int | None
    errors: str
    noise: str

    @property
    def said(self) -> str:
        """All that was said, the errors last."""
        return "\n".join(filter(None, (self.noise, self.errors)))

    @property
    def news(self) -> str:
        """A line for somebody who waits."""
        said = f", whose login has said: {self.said}" if self.said else ""
        return one_line(f"still waiting for the agent of {self.name}{said}")

    @property
    def is_turned_away(self) -> bool:
        """Say whether sshd did not even ask for a key, so that a moment later it may."""
        if self.caller is None or self.status != SSH_FAILED:
            return False
        return _cause_of(self.errors).pattern == TURNED_AWAY.pattern

    def complains(self, what: str) -> bool:
        """Say whether a shell says this of the command itself, and not of one in its own files."""
        if self.caller is None:
            return False
        return f"{self.caller.program}: {what}".lower() in self.errors.lower()

    def advice(self, hint: str) -> str | None:
        """Return a hint with the names of those concerned; nothing of a local agent."""
        return None if self.caller is None else hint.format(**vars(self.caller))


def why_silent(login: SilentLogin) -> RecoveryError:
    """Return the failure of a login that goes on, in which no agent has greeted in time."""
    said = f"Its login has said: {login.said}" if login.said else None
    return Unreachable(
        f"the agent of {login.name} does not answer",
        detail=said,
        hint=login.advice(SHELL_IS_IN_THE_WAY),
    )


def why_ended(login: SilentLogin) -> RecoveryError:
    """Return the failure of a login that ended, or of a local agent, before a greeting."""
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
            "a name without a slash.",
        )
    if login.status == COMMAND_NOT_FOUND or login.complains("command not found"):
        return Refused(f"{name} has no pgpool-recovery agent", detail=said, hint=INSTALL)
    if login.status == CANNOT_BE_RUN:
        return Refused(
            f"the agent of {name} cannot be run",
            detail=said,
            hint="The command, and the Python that it begins with, must be executable for the user "
            "that runs PostgreSQL there, and on no filesystem that is mounted noexec.",
        )
    if login.caller is None:
        return Unreachable(
            f"the agent of {name} ended with status {login.status}", detail=said or None
        )
    return Unreachable(
        f"the login to {name} by ssh ended with status {login.status}, and no agent has answered",
        detail=said or None,
        hint=login.advice(NO_SHELL if NO_LOGIN.search(said) else SHELL_IS_IN_THE_WAY),
    )


def why_noisy(login: SilentLogin) -> RecoveryError:
    """Return the failure of a login that prints without end."""
    return Unreachable(
        f"the login to {login.name} has printed {MAX_NOISE_BYTES} bytes, and no agent has answered",
        detail=f"The last of it: {login.said}",
        hint=login.advice(SHELL_IS_IN_THE_WAY),
    )


def _cause_of(said: str) -> Cause:
    return next(one for one in CAUSES if re.search(one.pattern, said, re.MULTILINE))
