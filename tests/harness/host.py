"""A host of its own, made of namespaces, that looks like a freshly installed Debian machine."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path, PurePath

from .keeper import Keeper
from .process_table import ProcessInfo, read_processes
from .ssh import SshDaemon, SshMachine
from .switch import NETWORK, NetworkAddress, Port, tbf_argv
from .system import OWN_SYSTEM, System
from .workspace import Workspace

_NAMESPACES = ["--mount", "--uts", "--ipc", "--net", "--pid", "--fork"]
_NOBODYS_MAC = "02:00:00:00:00:00"

# What is written lives in memory and in the host's own mount namespace, and goes with its last
# process. Overlays show the machine's own files; all that is not private becomes read-only, so
# that nothing a test does as root can reach the machine itself
# (test_nothing_outside_can_be_changed_from_a_host).
_OWN_SYSTEM = """
private=/run/.private
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -m 0700 $private
mkdir $private/shared
mount --bind /var/tmp $private/shared
for directory in etc opt root srv usr var; do
    [ -d /$directory ] || continue
    mkdir -p $private/$directory/upper $private/$directory/work
    chmod --reference=/$directory $private/$directory/upper
    mount -t overlay overlay /$directory \
        -o lowerdir=/$directory,upperdir=$private/$directory/upper,workdir=$private/$directory/work
done
mount --bind $private/shared /var/tmp
mount -o remount,bind,ro /
"""

# One overlay shows all files of the other system. pivot_root(2) makes it the root of every process
# of the namespace, so of the keeper too: what it starts from now on, and the users it looks up,
# are the other system's (test_programs_and_users_are_the_systems_own).
_OTHER_SYSTEM = """
mount -t tmpfs tmpfs /run
mkdir /run/upper /run/work /run/root
mount -t overlay overlay /run/root -o lowerdir="$SYSTEM",upperdir=/run/upper,workdir=/run/work
cd /run/root
for directory in dev sys; do
    mount --rbind /$directory $directory
done
mount -t proc proc proc
mount --bind /var/tmp var/tmp
mount -t tmpfs -o mode=0755 tmpfs run
mkdir run/.machine
pivot_root . run/.machine
umount --lazy /run/.machine
rmdir /run/.machine
"""

_PRIVATE_DIRECTORIES = """
mkdir -m 0755 /run/lock /run/sshd
install -d -m 2775 -o postgres -g postgres /run/postgresql
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1775 tmpfs /var/log/postgresql
chgrp postgres /var/log/postgresql
if [ -n "$DISK" ]; then
    mount --bind "$DISK" /var/lib/postgresql
else
    mount -t tmpfs tmpfs /var/lib/postgresql
fi
chown postgres:postgres /var/lib/postgresql
chmod 0755 /var/lib/postgresql
rm -rf /etc/postgresql/* /etc/ssh/ssh_host_* /etc/ssh/sshd_config*
# A locked account (!) cannot log in by key either when sshd runs without PAM.
sed -i 's/^postgres:[^:]*:/postgres:*:/' /etc/shadow
hostname "$NAME"
"""


# A checkout below one of the private directories would be hidden, and with it the interpreter and
# the programs of the tests. The descriptor leads to what is hidden, if mount(8) does not resolve it
# (test_checkout_is_seen_wherever_it_lies).
_SEE = """
if [ -d "$CHECKOUT" ]; then exec 9<"$CHECKOUT"; fi
"""
_SHOW = """
if [ ! -e "$CHECKOUT/$PART" ] && [ -e /proc/self/fd/9 ]; then
    mkdir -p "$CHECKOUT"
    mount --no-canonicalize --bind /proc/self/fd/9 "$CHECKOUT"
    mount -o remount,bind,ro "$CHECKOUT"
fi
exec 9<&-
"""
_CHECKOUT = Path(__file__).resolve().parents[2]
_PART = Path(__file__).relative_to(_CHECKOUT)


class Host(SshMachine):
    """A machine with its own network, mount, UTS, IPC and PID namespaces, and its own sshd.

    Its files start as those of its system (this machine's own unless another is named), and
    changes to them are private; /run, /tmp, /dev/shm, /etc/postgresql, /var/lib/postgresql and
    /var/log/postgresql start empty. /var/tmp is the one place that is shared with this machine.
    With `disk`, the home of postgres lies in that workspace instead of in memory.
    """

    def __init__(
        self,
        name: str,
        address: NetworkAddress,
        *,
        disk: Workspace | None = None,
        system: System = OWN_SYSTEM,
    ) -> None:
        self.name = name
        self.system = system
        self.address = address.ip
        self.network = NETWORK
        self.home = Path("/var/lib/postgresql")
        self.log_directory = Path("/var/log/postgresql")
        self.socket_directory = Path("/run/postgresql")
        self.sshd = SshDaemon(self)
        self._addresses = address
        self._port: Port | None = None
        self._directory = None if disk is None else disk.make_new(f"{name}-")
        wrapper = ["unshare", *_NAMESPACES, "--mount-proc", "--kill-child"]
        self.keeper = Keeper.start(wrapper=wrapper, hold=None if disk is None else disk.lock)

    def boot(self, checkout: Path = _CHECKOUT) -> None:
        """Give the host its own files and name; the checkout is visible, read-only."""
        env = {
            "NAME": self.name,
            "DISK": str(self._directory or ""),
            "SYSTEM": str(self.system.root),
            "CHECKOUT": str(checkout),
            "PART": str(_PART),
        }
        files = _OWN_SYSTEM if self.system == OWN_SYSTEM else _OTHER_SYSTEM
        # Another system's programs do not need the checkout, and could not run it.
        see, show = (_SEE, _SHOW) if self.system == OWN_SYSTEM else ("", "")
        script = f"set -eu\n{see}{files}{_PRIVATE_DIRECTORIES}{show}"
        self.run(["sh", "-s"], user="root", stdin=script, env=env)

    def connect(self, port: Port, neighbours: Mapping[str, NetworkAddress]) -> None:
        """Configure the interface that was plugged into `port`, and enter the other hosts.

        Their link addresses are permanent. If they were resolved by ARP, a host that drops packets
        would be reported as unreachable after three seconds, which only happens to a neighbour.
        """
        self._port = port
        own = self._addresses
        others = [one for one in neighbours.values() if one != own]
        self._configure_network(
            "link set lo up",
            f"address add {own.interface} dev eth0",
            "link set eth0 up",
            *(_neighbour(one.ip, one.mac) for one in others),
        )
        names = [f"{one.ip}\t{name}" for name, one in neighbours.items()]
        loopback = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost"]
        lines = "\n".join([*loopback, *names])
        self.write_file("/etc/hosts", lines + "\n", owner="root", mode=0o644)
        self.write_file("/etc/hostname", self.name + "\n", owner="root", mode=0o644)

    def path(self, inside: str | PurePath) -> Path:
        return Path(f"/proc/{self.keeper.pid}/root") / str(inside).lstrip("/")

    def free_port(self, usual: int) -> int:
        return usual

    def processes(self) -> list[ProcessInfo]:
        found = read_processes(self.path("/proc"), self.path("/etc/passwd"))
        return [one for one in found if one.pid != 1]

    def cut(self, other: "Host | None" = None) -> None:
        """Silently drop every packet between this host and `other`, or all others."""
        if other is None:
            self._plugged_in.cut()
        else:
            self._configure_network(_neighbour(other.address, _NOBODYS_MAC))
            other._configure_network(_neighbour(self.address, _NOBODYS_MAC))

    def mend(self, other: "Host | None" = None) -> None:
        """Undo the `cut` with the same argument."""
        if other is None:
            self._plugged_in.mend()
        else:
            self._configure_network(_neighbour(other.address, other._addresses.mac))
            other._configure_network(_neighbour(self.address, self._addresses.mac))

    def shape(self, rate_mbit: float | None) -> None:
        """Limit the host's sending and its receiving to this rate each; None removes the limit."""
        self._plugged_in.shape(rate_mbit)
        self.run(tbf_argv("eth0", rate_mbit), user="root", check=rate_mbit is not None)

    def received_bytes(self) -> int:
        """Return the bytes received from other hosts so far, packet headers included."""
        lines = Path(f"/proc/{self.keeper.pid}/net/dev").read_text().splitlines()
        [counters] = [line for line in lines if line.strip().startswith("eth0:")]
        return int(counters.split()[1])

    def small_filesystem(
        self, path: str | PurePath, size_mb: int, *, owner: str = "postgres", mode: int = 0o700
    ) -> None:
        """Mount an empty filesystem of this size at `path`."""
        self.make_directory(path, owner=owner)
        account = self.account(owner)
        options = f"size={size_mb}m,mode={mode:o},uid={account.uid},gid={account.gid}"
        self.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], user="root")

    def cloning_filesystem(self, path: str | PurePath, size_mb: int) -> None:
        """Mount an empty filesystem of user postgres at `path` that clones files (btrfs)."""
        image = f"/dev/shm/{PurePath(path).name}.btrfs"
        self.run(["truncate", "--size", f"{size_mb}M", image], user="root")
        # With this machine's program, because other systems lack it.
        subprocess.run(["mkfs.btrfs", "-q", self.path(image)], check=True, capture_output=True)
        self.make_directory(path, owner="postgres")
        self.run(["mount", "-o", "loop", image, path], user="root")
        self.run(["chown", "postgres:postgres", path], user="root")

    def close(self) -> None:
        """End everything that runs on the host; what was in memory goes with it."""
        self.keeper.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def _plugged_in(self) -> Port:
        if self._port is None:
            raise LookupError(f"host {self.name} is not connected to a network")
        return self._port

    def _configure_network(self, *lines: str) -> None:
        self.run(["ip", "-batch", "-"], user="root", stdin="\n".join(lines))


def why_no_hosts() -> str | None:
    """Return why hosts cannot be made here, or None when they can."""
    command = ["unshare", *_NAMESPACES, "--mount-proc", "mount", "-t", "tmpfs", "tmpfs", "/run"]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else tried.stderr.strip()


def _neighbour(ip: str, mac: str) -> str:
    return f"neighbour replace {ip} lladdr {mac} dev eth0 nud permanent"
