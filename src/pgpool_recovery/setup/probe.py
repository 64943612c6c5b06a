"""Ask a host what it has: the text of the question, for sh, and the meaning of the answer."""

import re
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.domain.record import replace
from pgpool_recovery.setup.facts import Backend, HostState, NodeState
from pgpool_recovery.setup.script import session, shell_text
from pgpool_recovery.setup.statement import literal

Lines = Mapping[str, list[str]]
KEY = re.compile(r"[a-z_]\w*(?:\.[\w.-]+)*")
PUBLIC_KEY = re.compile(r"[a-z][a-z0-9@.-]* [A-Za-z0-9+/]+={0,3}")
"""Of ssh: its type and its bytes, without options and comment. It is given to other hosts."""


def question(
    own: Sequence[Backend],
    others: Sequence[Backend],
    databases: Sequence[str],
    recovery_user: str = "",
) -> str:
    """Return the script that describes a host with its own nodes, and the way to the others.

    `recovery_user` is the role that calls the functions.
    """
    text = shell_text("probe")
    calls = [
        f"DATABASES={shlex.quote(' '.join(databases))}",
        f"RECOVERY_USER={shlex.quote(literal(recovery_user))}",
        "host",
    ]
    for node in own:
        calls.append(shlex.join(["node", str(node.node_id), str(node.port), node.data_directory]))
        calls += [
            shlex.join(["peer", str(other.node_id), other.host, str(other.port)])
            for other in others
        ]
    return f"{session()}{text}\nmain() {{\n{_indented(calls)}\n}}\nmain </dev/null\n"


def answered(name: str, own: Sequence[Backend], output: str, way: str) -> HostState:
    """Return the host that the answer describes; raise ValueError if it makes no sense."""
    facts = defaultdict[str, list[str]](list)
    for line in lines_of(output):
        key, tab, value = line.partition("\t")
        if tab and KEY.fullmatch(key):
            facts[key].append(value.strip())
    return HostState(
        name,
        tuple(_node(backend, facts) for backend in own),
        way=way,
        system=_one(facts, "system") or "",
        manager=_one(facts, "manager"),
        command=_one(facts, "command"),
        version=_one(facts, "version"),
        host_keys=tuple(filter(PUBLIC_KEY.fullmatch, facts["host_key"])),
        installed={
            key.removeprefix("package."): values[0]
            for key, values in facts.items()
            if key.startswith("package.")
        },
        offered=frozenset(facts["offered"]),
        records=tuple(facts["record"]),
    )


def unanswered(name: str, own: Sequence[Backend], problem: str) -> HostState:
    """Return a host of which nothing is known but why."""
    return HostState(name, tuple(NodeState(backend, "unknown") for backend in own), problem)


def _node(backend: Backend, facts: Lines) -> NodeState:
    of = f"node.{backend.node_id}."
    own = defaultdict[str, list[str]](list)
    for key, values in facts.items():
        if key.startswith(of):
            own[key.removeprefix(of)] += values
    port, major = _one(own, "port"), _one(own, "major")
    node = NodeState(
        backend,
        state=_one(own, "state") or "empty",
        home=_one(own, "home"),
        major=int(major) if major and major.isdecimal() else None,
        bindir=_one(own, "bindir"),
        socket=_one(own, "socket"),
        port=int(port) if port and port.isdecimal() else None,
        role=_one(own, "role"),
        problem=_one(own, "problem"),
        control=_one(own, "control"),
        has_plpython=bool(own["plpython"]),
        scripts=_pairs(own["script"]),
        settings=_pairs(own["setting"]),
        extensions={name: _extension(text) for name, text in _pairs(own["extension"]).items()},
        recovery_user=_one(own, "recovery_user") or None,
        may_call=frozenset(own["may_call"]),
        includes={"yes": True, "no": False}.get(_one(own, "includes") or ""),
        key=next(filter(PUBLIC_KEY.fullmatch, own["key"]), None),
        authorized=tuple(own["authorized"]),
        addresses=_addresses(own["address"]),
        ssh={
            int(peer): None if said == "ok" else said for peer, said in _pairs(own["ssh"]).items()
        },
        replication={int(peer): said for peer, said in _pairs(own["replication"]).items()},
    )
    return replace(node, owner=_one(own, "owner") or node.owner)


def _extension(text: str) -> tuple[str, str] | None:
    version, _, schema = text.partition(" ")
    return (version, schema) if version else None


def _addresses(lines: Sequence[str]) -> dict[int, tuple[str, ...]]:
    found = defaultdict[int, list[str]](list)
    for line in lines:
        peer, _, address = line.partition(" ")
        ip_address(address)  # It becomes a line of pg_hba.conf.
        found[int(peer)].append(address)
    return {peer: tuple(addresses) for peer, addresses in found.items()}


def _pairs(lines: Sequence[str]) -> dict[str, str]:
    split = (line.partition(" ") for line in lines)
    return {name: rest.strip() for name, _, rest in split}


def _one(facts: Lines, name: str) -> str | None:
    return next(iter(facts.get(name, ())), None)


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
