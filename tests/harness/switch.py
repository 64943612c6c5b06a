"""The bridge between the hosts of a network, in a network namespace that has no name."""

from dataclasses import dataclass

from .command import run_under
from .keeper import Command, Keeper

NETWORK = "10.77.0.0/24"  # the same for every network: none of them can reach another
_PREFIX_LENGTH = 24
_BURST = "256kb"  # more than a timer tick at 1 Gbit/s, and than one segment of 64 kB


@dataclass(frozen=True)
class NetworkAddress:
    """The addresses of the host with this number, counted from 1."""

    number: int

    @property
    def ip(self) -> str:
        return f"10.77.0.{10 + self.number}"

    @property
    def interface(self) -> str:
        return f"{self.ip}/{_PREFIX_LENGTH}"

    @property
    def mac(self) -> str:
        return f"02:00:00:77:00:{self.number:02x}"


class Switch:
    """A bridge whose namespace lives exactly as long as the keeper that runs in it."""

    def __init__(self) -> None:
        self._keeper = Keeper.start(wrapper=["unshare", "--net"])

    def start(self) -> None:
        self.configure(
            "link add lan type bridge forward_delay 0 mcast_snooping 0", "link set lan up"
        )

    def plug_in(self, host_pid: int, address: NetworkAddress) -> "Port":
        """Lay a cable from a new port to a new interface `eth0` of that process's namespace."""
        port = f"port{address.number}"
        self.configure(
            f"link add {port} type veth peer name eth0 address {address.mac} netns {host_pid}",
            f"link set {port} master lan up",
        )
        return Port(self, port)

    def configure(self, *lines: str) -> None:
        """Run commands of ip(8) in the bridge's namespace."""
        run_under(self._keeper, as_root("ip", "-batch", "-"), stdin="\n".join(lines))

    def limit(self, port: str, rate_mbit: float | None) -> None:
        run_under(self._keeper, as_root(*tbf_argv(port, rate_mbit)), check=rate_mbit is not None)

    def close(self) -> None:
        self._keeper.close()


@dataclass(frozen=True)
class Port:
    """Where a host is plugged in."""

    switch: Switch
    name: str

    def cut(self) -> None:
        """Silently drop every packet from and to the host.

        The port leaves the bridge but stays up, so the host sees a carrier and no error is
        reported: packets vanish as behind a firewall that drops them, or a dead switch.
        """
        self.switch.configure(f"link set {self.name} nomaster")

    def mend(self) -> None:
        self.switch.configure(f"link set {self.name} master lan")

    def shape(self, rate_mbit: float | None) -> None:
        """Limit what the host receives; None removes the limit."""
        self.switch.limit(self.name, rate_mbit)


def tbf_argv(interface: str, rate_mbit: float | None) -> list[str]:
    """Return the tc(8) command that limits what leaves by an interface (a token bucket)."""
    if rate_mbit is None:
        return ["tc", "qdisc", "delete", "dev", interface, "root"]
    limit = ["tbf", "rate", f"{rate_mbit}mbit", "burst", _BURST, "latency", "50ms"]
    return ["tc", "qdisc", "replace", "dev", interface, "root", *limit]


def as_root(*argv: str) -> Command:
    return Command(argv, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
