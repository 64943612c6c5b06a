"""Decide which data directories lack our stage commands, and whose are there instead."""

from collections.abc import Iterator

from pgpool_recovery.install.placed_file import UP_TO_DATE
from pgpool_recovery.setup.facts import (
    ABSENT,
    BROKEN,
    OURS,
    OWN,
    SAMPLE,
    STAGE_COMMANDS,
    WRAPPER,
    HostState,
    NodeState,
)
from pgpool_recovery.setup.need import Advice, Item, Need, There, words

COMMAND = "pgpool-recovery"
WHY = "Pgpool-II has the primary run them, and each node can become the primary."
CALLED = STAGE_COMMANDS[:3]
WORDS = {
    OURS: "ours",
    WRAPPER: "yours, and call ours",
    SAMPLE: "Pgpool-II's samples",
    OWN: "your own",
    ABSENT: "missing",
    BROKEN: "ours, but their command is missing",
}


def stage_commands(host: HostState) -> Iterator[Item]:
    """Yield, for each node of a host, what its data directory has and lacks."""
    for node in host.nodes:
        name = f"20-stage-commands-{node.backend.node_id}"
        kinds = set(node.scripts.values())
        if node.state == "unknown":
            continue
        if node.state == "empty":
            yield Advice(
                host.name,
                name,
                f"{node.backend.data_directory} has no data",
                f"{node.backend.name} gets its stage commands with its first recovery.",
            )
        elif kinds == {OURS}:
            yield There(host.name, name, f"in {node.backend.data_directory}")
        elif all(node.scripts.get(each) in (OURS, WRAPPER) for each in CALLED):
            yield There(host.name, name, f"in {node.backend.data_directory}, called by yours")
        else:
            yield _need(host, node, name)


def whose(node: NodeState) -> str:
    """Return which of the stage commands are whose, as clauses."""
    parts = []
    for kind in (SAMPLE, OWN, WRAPPER, BROKEN, OURS, ABSENT):
        names = [name for name in STAGE_COMMANDS if node.scripts.get(name) == kind]
        if names:
            parts.append(f"{', '.join(names)}: {WORDS[kind]}")
    return "; ".join(parts)


def _need(host: HostState, node: NodeState, name: str) -> Need:
    data = node.backend.data_directory
    foreign = any(node.scripts.get(each) in (SAMPLE, OWN, WRAPPER) for each in STAGE_COMMANDS)
    kept = "; what is there is kept as *.before-pgpool-recovery" if foreign else ""

    def as_owner(verb: str, *more: str) -> str:
        command = host.command or COMMAND
        return words("as_user", node.owner, command, verb, "--data-directory", data, *more)

    current = f"{as_owner('install', '--dry-run')} 2>/dev/null | grep -c {words(UP_TO_DATE)}"

    return Need(
        host.name,
        name,
        f"stage commands in {data} ({whose(node)}){kept}",
        WHY,
        test=f'[ "$({current} || true)" -eq {len(STAGE_COMMANDS)} ]',
        commands=(as_owner("install"),),
        # A node that failed may have lost its data since, and the others are undone nevertheless.
        undo=(
            f"if [ -e {words(f'{data}/PG_VERSION')} ]; then",
            as_owner("uninstall"),
            "else",
            words("echo", f"{data}: it has no data, so nothing was taken back there"),
            "fi",
        ),
    )
