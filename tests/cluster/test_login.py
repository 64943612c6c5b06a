"""Whatever is between ssh and the agent either works or is reported at once, with a real sshd.

There are no servers: one host has the runner's side of a conversation, another one the agent.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import pytest

from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.product import Product, install_command
from tests.harness.ssh import authorize_ssh, revoke_ssh
from tests.harness.system import system_with, why_no_postgresql
from tests.harness.until import until

RUNNER = """
import json, sys, time
from pgpool_recovery.talk import conversation
from pgpool_recovery.talk.protocol import Weigh
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.ssh.command import SshSettings, ssh_command

host, words, options, timeout_s = json.loads(sys.argv[1])
conversation.TOLD_AFTER_S, conversation.HEARTBEAT_S = 0.5, 0.5
argv = ssh_command(host, words, SshSettings(options=tuple(options), connect_timeout_s=3))
events, answer, failure = [], None, {"message": None, "detail": None, "hint": None}
try:
    with conversation.converse(
        argv, "node 1", lambda event: events.append(event.line), timeout_s=timeout_s
    ) as agent:
        answer = agent.ask(Weigh("abc"), timeout_s=60)
except RecoveryError as error:
    failure = error.as_record()
print(json.dumps({**failure, "events": events, "answer": answer}))
"""
AGENT = ("pgpool-recovery", "agent")
PATIENCE_S = 60.0
HOME = PurePath("/var/lib/postgresql")
KEYS = HOME / ".ssh/authorized_keys"
CONFIG = HOME / ".ssh/config"


@dataclass
class Way:
    """The way from one host to another, in which each test puts something."""

    source: Host
    target: Host
    python: PurePath

    def go(
        self,
        words: tuple[str, ...] = AGENT,
        options: tuple[str, ...] = (),
        timeout_s: float = PATIENCE_S,
    ) -> dict[str, Any]:
        """Send a request to an agent there; return its answer, the failure, and the events."""
        asked = json.dumps([self.target.name, words, options, timeout_s])
        argv = [str(self.python), "-I", "-c", RUNNER, asked]
        said: dict[str, Any] = json.loads(self.source.run(argv, timeout_s=120).stdout)
        return said

    def shell(self, program: str, home: PurePath = HOME) -> None:
        """Change the login shell of the user there."""
        passwd = self.target.path("/etc/passwd")
        lines = [line.split(":") for line in passwd.read_text().splitlines()]
        made = [
            [*line[:5], str(home), program] if line[0] == "postgres" else line for line in lines
        ]
        text = "".join(f"{':'.join(line)}\n" for line in made)
        self.target.write_file("/etc/passwd", text, owner="root", mode=0o644)

    def sshd(self, more: str) -> None:
        self.target.sshd.stop()
        self.target.sshd.start(more)


@pytest.fixture(scope="module")
def network(namespaces: None) -> Iterator[Network]:
    systems = {} if why_no_postgresql(17) else {"gamma": system_with(17)}
    with Network(["alpha", "beta", "gamma"], systems=systems) as network:
        for host in network.hosts:
            authorize_ssh(network.host("alpha"), host)
        yield network


@pytest.fixture
def way(network: Network, product: Product) -> Iterator[Way]:
    alpha, beta, _ = network.hosts
    install_command(beta, product)
    made = Way(alpha, beta, product.command.parent / "python")
    before = {name: beta.path(name).read_text() for name in ("/etc/passwd", KEYS)}
    kept = set(beta.path(HOME).iterdir())
    yield made
    beta.write_file("/etc/passwd", before["/etc/passwd"], owner="root", mode=0o644)
    beta.write_file(KEYS, before[KEYS])
    alpha.path(CONFIG).unlink(missing_ok=True)
    for file in set(beta.path(HOME).iterdir()) - kept:
        beta.run(["rm", "-r", HOME / file.name], user="root")
    made.sshd("")


GREETS = "printf 'Welcome to %s  ' \"$HOSTNAME\"\n"
NOISY = {
    "bash, no line break": ("/bin/bash", ".bashrc", GREETS),
    "bash, lines and errors": ("/bin/bash", ".bashrc", "set -x; echo one; no-such-command; echo 2"),
    "bash, errors to the output": ("/bin/bash", ".bashrc", f"exec 2>&1; no-such-command\n{GREETS}"),
    "bash, bytes": ("/bin/bash", ".bashrc", "printf '\\0\\377{\\r'"),
    "bash, a question": ("/bin/bash", ".bashrc", "read -rp 'Which database? ' answer"),
    "restricted bash": ("/bin/rbash", ".bashrc", GREETS),
    "dash": ("/bin/dash", ".profile", GREETS),
    "tcsh": ("/usr/bin/tcsh", ".tcshrc", "echo -n 'Welcome  '\n"),
    "fish": ("/usr/bin/fish", ".config/fish/config.fish", "printf 'Welcome  '\n"),
}


@pytest.mark.parametrize("which", NOISY)
def test_shell_that_prints_is_passed_over(way: Way, which: str) -> None:
    shell, file, text = NOISY[which]
    way.shell(shell)
    way.target.write_file(HOME / file, text, mode=0o644)
    said = way.go()
    assert said["answer"] == 3, said
    assert said["message"] is None


WORKING = {
    "a banner": ("Banner /etc/issue\n", ""),
    "no terminal": ("PermitTTY no\n", ""),
    "a forced command": ("ForceCommand pgpool-recovery agent\n", ""),
    "another port": ("Port 2222\n", "Port 2222\n"),
    "one session": ("MaxSessions 1\n", ""),
    "a jump": ("", "Host beta\n  ProxyJump alpha\n"),
    "a language": ("", "SendEnv LANG LC_*\nSetEnv LC_ALL=xx_YY.ISO-8859-1 LANG=ja_JP.eucJP\n"),
    "a quiet ssh with a terminal": ("", "LogLevel QUIET\nRequestTTY force\n"),
    "a shared connection": ("", "ControlMaster auto\nControlPath ~/.ssh/%C\nControlPersist 2\n"),
}


@pytest.mark.parametrize("which", WORKING)
def test_what_administrators_set_up_works(way: Way, which: str) -> None:
    daemon, client = WORKING[which]
    way.sshd(daemon)
    way.source.write_file(CONFIG, client)
    try:
        said = way.go()
    finally:
        way.source.path(CONFIG).unlink()
    assert said["answer"] == 3, said


def test_forced_command_of_a_key_works(way: Way) -> None:
    key = way.target.path(KEYS).read_text()
    way.target.write_file(KEYS, f'restrict,command="pgpool-recovery agent" {key}')
    assert way.go()["answer"] == 3


def test_user_without_a_home_can_be_logged_in_to(way: Way) -> None:
    way.target.write_file(
        "/etc/ssh/keys", way.target.path(KEYS).read_text(), owner="root", mode=0o644
    )
    way.sshd("AuthorizedKeysFile /etc/ssh/keys\n")
    way.shell("/bin/bash", home=PurePath("/nonexistent"))
    assert way.go()["answer"] == 3


@dataclass(frozen=True)
class Failing:
    """What is in the way, and what has to be reported about it."""

    message: str
    hint: str
    detail: str = ""
    login_shell: str = "/bin/bash"
    rc: str = ""
    sshd: str = ""
    ssh: str = ""
    key: str = ""
    words: tuple[str, ...] = AGENT
    timeout_s: float = PATIENCE_S


ENDED = "the ssh login to node 1 ended with status"
FAILED = "could not log in to node 1 by ssh"
MISSING = "node 1 has no pgpool-recovery agent"
IN_THE_WAY = "Between ssh and the agent is the login shell"
FAILING = {
    "nologin": Failing(
        ENDED, "Give the user on beta a login shell", "available", "/usr/sbin/nologin"
    ),
    "false": Failing(ENDED, IN_THE_WAY, login_shell="/bin/false"),
    "no shell": Failing(
        FAILED, "login shell does not exist", "denied", login_shell="/bin/no-such-shell"
    ),
    "exit": Failing(f"{ENDED} 3", IN_THE_WAY, "Closed for work", rc="echo Closed for work; exit 3"),
    "exec": Failing(f"{ENDED} 0", IN_THE_WAY, "a menu", rc="exec echo a menu"),
    "exec of what stays": Failing(
        "does not answer", IN_THE_WAY, "Psst", rc="echo Psst; exec cat", timeout_s=3
    ),
    "no end of it": Failing("has printed 262144 bytes", IN_THE_WAY, "Buy", rc="exec yes Buy"),
    "sftp": Failing(
        ENDED, "Give the user on beta a login shell", sshd="ForceCommand internal-sftp\n"
    ),
    "a forced command": Failing(ENDED, IN_THE_WAY, "No.", key='command="echo No." '),
    "not there": Failing(MISSING, "Install pgpool-recovery", words=("no-such", "agent")),
    "not there, tcsh": Failing(
        MISSING, "Install", login_shell="/usr/bin/tcsh", words=("no-such", "agent")
    ),
    "not there, fish": Failing(
        MISSING, "Install", login_shell="/usr/bin/fish", words=("no-such", "agent")
    ),
    "restricted": Failing(
        "the login shell of node 1 does not run the agent",
        "without a slash",
        "restricted",
        "/bin/rbash",
        words=("/usr/local/bin/pgpool-recovery", "agent"),
    ),
    "not executable": Failing(
        "the agent of node 1 cannot be run", "executable", words=("/etc/passwd", "agent")
    ),
    "a jump": Failing(FAILED, "ProxyJump", "resolve", ssh="Host beta\n  ProxyJump no-such-host\n"),
    "quiet": Failing(FAILED, "Port in ~/.ssh/config", "refused", ssh="LogLevel QUIET\nPort 2\n"),
}


@pytest.mark.parametrize("which", FAILING)
def test_what_is_in_the_way_is_named(way: Way, which: str) -> None:
    given = FAILING[which]
    way.shell(given.login_shell)
    way.target.write_file(HOME / ".bashrc", given.rc)
    if given.sshd:
        way.sshd(given.sshd)
    if given.ssh:
        way.source.write_file(CONFIG, given.ssh)
    if given.key:
        way.target.write_file(KEYS, given.key + way.target.path(KEYS).read_text())
    said = way.go(given.words, timeout_s=given.timeout_s)
    assert said["answer"] is None
    assert given.message in said["message"]
    assert given.detail in (said["detail"] or "")
    assert given.hint in said["hint"]
    assert said["target"] == "untouched"
    if "does not answer" in given.message:
        assert len(said["events"]) == 1
        assert "still waiting for the agent of node 1" in said["events"][0]
        assert given.detail in said["events"][0]


def test_key_that_is_not_accepted_or_known(way: Way) -> None:
    revoke_ssh(way.source, way.target)
    said = way.go()
    assert said["message"] == FAILED
    assert "~/.ssh/authorized_keys" in said["hint"]
    way.target.sshd.replace_host_key()
    try:
        changed = way.go()
    finally:
        authorize_ssh(way.source, way.target)
    assert changed["message"] == FAILED
    assert "ssh-keygen -R beta as postgres on alpha" in changed["hint"]


def test_many_logins_at_once_are_tried_again(way: Way) -> None:
    """MaxStartups rejects a login while another connection has not logged in yet."""
    way.sshd("MaxStartups 1\nLoginGraceTime 4\n")
    waits = ["python3", "-c", "import socket, sys\ns = socket.create_connection(('beta', 22))\n"]
    waits[-1] += "print(s.recv(99), flush=True); s.recv(99999); s.recv(1)"
    log = PurePath("/tmp/waits.log")
    other = way.source.spawn(waits, log=log)
    until(
        lambda: "SSH-2.0" in way.source.path(log).read_text(),
        within_s=10,
        what="the other login to begin",
    )
    try:
        said = way.go()
    finally:
        other.kill()
        other.wait(timeout_s=10)
    assert said["answer"] == 3, said
    assert "sshd of node 1 turned the login away; trying again" in said["events"]


@pytest.mark.skipif(why_no_postgresql(17) is not None, reason=str(why_no_postgresql(17)))
def test_penalty_of_openssh_9_8_is_waited_for_or_named(network: Network, product: Product) -> None:
    alpha, _, gamma = network.hosts
    install_command(gamma, product)
    way = Way(alpha, gamma, product.command.parent / "python")
    for penalty_s in (3, 60):
        way.sshd(f"PerSourcePenalties authfail:{penalty_s}s min:1s\n")
        revoke_ssh(alpha, gamma)
        assert "Permission denied" in way.go()["detail"]
        authorize_ssh(alpha, gamma)
        said = way.go()
        assert "sshd of node 1 turned the login away; trying again" in said["events"]
        if penalty_s == 3:
            assert said["answer"] == 3, said
        else:
            assert said["message"] == FAILED
            assert "PerSourcePenalties" in said["hint"]
