"""A network of hosts that reach each other and nothing else."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from .host import Host
from .ssh import authorize_ssh
from .switch import NetworkAddress, Switch
from .system import OWN_SYSTEM, System
from .workspace import Workspace


class Network:
    """Hosts with these names, plugged into one switch; the end of the context ends them all.

    A host runs this machine's own system unless `systems` names another for it.

    with Network(["alpha", "beta"]) as network:
        network.host("alpha").run(["ping", "-c1", "beta"], user="root")
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        disk: Workspace | None = None,
        systems: Mapping[str, System] | None = None,
    ) -> None:
        addresses = {name: NetworkAddress(number) for number, name in enumerate(names, start=1)}
        with ExitStack() as undo:
            self._switch = Switch()
            undo.callback(self._switch.close)
            self._switch.start()
            chosen = systems or {}
            self.hosts = tuple(
                self._boot(name, addresses, disk, chosen.get(name, OWN_SYSTEM), undo)
                for name in names
            )
            self._undo = undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def host(self, name: str) -> Host:
        for host in self.hosts:
            if host.name == name:
                return host
        raise LookupError(f"no host is named {name}")

    def trust_all(self, hosts: Sequence[Host], *, user: str = "postgres") -> None:
        """Let `user` log in by ssh from each of these hosts to each of them, itself included."""
        for source in hosts:
            for target in hosts:
                authorize_ssh(source, target, user=user)

    def close(self) -> None:
        """End everything that runs in the network; a second call does nothing."""
        self._undo.close()

    def _boot(
        self,
        name: str,
        addresses: Mapping[str, NetworkAddress],
        disk: Workspace | None,
        system: System,
        undo: ExitStack,
    ) -> Host:
        host = Host(name, addresses[name], disk=disk, system=system)
        undo.callback(host.close)
        host.boot()
        host.connect(self._switch.plug_in(host.keeper.pid, addresses[name]), addresses)
        host.sshd.start()
        return host
