"""sshd on a host, and the right to log in there: granted, revoked or broken."""

from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

from .machine import Machine
from .until import until

if TYPE_CHECKING:
    from .keeper import Child

_HOST_KEY = PurePath("/etc/ssh/ssh_host_ed25519_key")
_CONFIGURATION_FILE = PurePath("/etc/ssh/sshd_config")
_LOG_FILE = PurePath("/run/sshd.log")
# Without PAM, which would look for a session manager, and no host has one.
_CONFIGURATION = f"""\
HostKey {_HOST_KEY}
PidFile /run/sshd.pid
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
AcceptEnv LANG LC_*
MaxStartups 100
Subsystem sftp /usr/lib/openssh/sftp-server
"""


class SshDaemon:
    """The sshd of one machine, with a host key of its own."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._listener: Child | None = None

    def start(self, more: str = "") -> None:
        """Start sshd and wait until it listens; the first start makes the host key.

        `more`: lines that replace those with the same keywords in its configuration.
        """
        if not self._machine.path(_HOST_KEY).exists():
            self._make_host_key()
        given = {line.split()[0] for line in more.splitlines()}
        kept = [line for line in _CONFIGURATION.splitlines() if line.split()[0] not in given]
        text = "\n".join([*kept, more])
        self._machine.write_file(_CONFIGURATION_FILE, text, owner="root", mode=0o644)
        self._machine.path(_LOG_FILE).unlink(missing_ok=True)
        argv = ["/usr/sbin/sshd", "-D", "-e", "-f", str(_CONFIGURATION_FILE)]
        self._listener = self._machine.spawn(argv, user="root", log=_LOG_FILE)
        until(self._listens, within_s=10, what=f"sshd of {self._machine.name}", every_s=0.005)

    def stop(self) -> None:
        """End the listener: new connections are refused, open sessions go on."""
        if self._listener is not None:
            self._listener.kill()
            self._listener.wait(timeout_s=10)

    def replace_host_key(self) -> None:
        """Come back with another key, as a reinstalled machine does."""
        self.stop()
        self._machine.path(_HOST_KEY).unlink()
        self._make_host_key()
        self.start()

    @property
    def public_key(self) -> str:
        """The public host key: type and key, without a comment."""
        text = self._machine.path(f"{_HOST_KEY}.pub").read_text()
        return " ".join(text.split()[:2])

    def log_text(self) -> str:
        return self._machine.path(_LOG_FILE).read_text()

    def _make_host_key(self) -> None:
        _make_key(self._machine, _HOST_KEY, user="root")

    def _listens(self) -> bool:
        return "Server listening" in self.log_text()


class SshMachine(Machine, Protocol):
    """A machine with an sshd."""

    sshd: SshDaemon


def authorize_ssh(from_machine: Machine, to_machine: SshMachine, *, user: str = "postgres") -> None:
    """Let `user` log in from one machine to the other, whose key it knows by name and address."""
    public_key = _public_key_of(from_machine, user)
    _add_line(to_machine, _authorized_keys(to_machine, user), public_key, owner=user)
    known = f"{to_machine.name},{to_machine.address} {to_machine.sshd.public_key}"
    known_hosts = PurePath(from_machine.home_of(user), ".ssh/known_hosts")
    _add_line(from_machine, known_hosts, known, owner=user)


def revoke_ssh(from_machine: Machine, to_machine: Machine, *, user: str = "postgres") -> None:
    """Revoke the right to log in; the host's key stays known."""
    file = _authorized_keys(to_machine, user)
    key = _public_key_of(from_machine, user)
    lines = to_machine.path(file).read_text().splitlines()
    kept = "".join(f"{line}\n" for line in lines if line != key)
    to_machine.write_file(file, kept, owner=user)


def _public_key_of(machine: Machine, user: str) -> str:
    private = PurePath(machine.home_of(user), ".ssh/id_ed25519")
    if not machine.path(private).exists():
        machine.make_directory(private.parent, owner=user, mode=0o700)
        _make_key(machine, private, user=user)
    return machine.path(f"{private}.pub").read_text().strip()


def _make_key(machine: Machine, file: PurePath, *, user: str) -> None:
    owner = f"{user}@{machine.name}"
    machine.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", owner, "-f", file], user=user)


def _authorized_keys(machine: Machine, user: str) -> PurePath:
    return PurePath(machine.home_of(user), ".ssh/authorized_keys")


def _add_line(machine: Machine, file: PurePath, line: str, *, owner: str) -> None:
    machine.make_directory(file.parent, owner=owner, mode=0o700)
    path = machine.path(file)
    before = path.read_text() if path.exists() else ""
    if line not in before.splitlines():
        machine.write_file(file, f"{before}{line}\n", owner=owner)
