"""Render what setup found, what it would do, and what it did."""

from collections.abc import Sequence

from pgpool_recovery.cli.render.table import table
from pgpool_recovery.setup.facts import ClusterState
from pgpool_recovery.setup.need import Advice, Item, Need, There
from pgpool_recovery.setup.script import LAST
from pgpool_recovery.setup.undo import UndoRecord

HEADER = ("host", "state", "what")
MISSING, YOURS, HINT, IS_THERE = "missing", "TO DO", "advice", "ok"
UNSEEN = "not seen"
FUNCTIONS = ("add_line", "as_user", "first_line", "install_packages", "packages_added")


def found_lines(around: ClusterState, items: Sequence[Item]) -> list[str]:
    """Return a table of what each host has and lacks, and below it what is left to the user."""
    pool = around.pool
    line = "" if pool.release is None else " " + ".".join(map(str, pool.release))
    unseen = {host.name for host in around.hosts if host.problem is not None}
    calls = f"calls its functions in database {pool.database}"
    lines = [
        f"Pgpool-II{line}, {pool.conf}: {len(pool.backends)} nodes, {calls}",
        *(
            f"{host.name}: {_nodes(around, host.name)}"
            + (f", {host.system}, {host.way}" if host.problem is None else "")
            for host in around.hosts
        ),
        "",
        *table(HEADER, [_row(item, unseen) for item in items]),
    ]
    advice = [item for item in items if isinstance(item, Advice)]
    for needed, title in ((True, "Left to you, because recoveries need it:"), (False, "Advice:")):
        chosen = [one for one in advice if one.is_needed is needed]
        if chosen:
            lines += ["", title, *(f"    {one.host}: {one.advice}" for one in chosen)]
    return lines


def plan_lines(needs: Sequence[Need]) -> list[str]:
    """Return every command that would be run, in order, each with its reason."""
    lines = ["What would be done, as root, in this order:"]
    place = ""
    for need, hosts in _together(needs):
        if place != (place := ", ".join(hosts)):
            lines += ["", f"on {place}:"]
        lines += [f"    # {need.what}"]
        lines += [f"    # {name} is copied there" for name in need.files]
        lines += [f"    {command}" for command in need.commands]
    names = sorted({name for need in needs for name in FUNCTIONS if name in _text(need)})
    if names:
        lines += ["", f"({', '.join(names)}: functions of sh, which --script shows)"]
    return lines


def _together(needs: Sequence[Need]) -> list[tuple[Need, list[str]]]:
    """Return the needs, those that follow each other with the same commands as one for all hosts.

    Each of them is carried out on its host in turn.
    """
    found: list[tuple[Need, list[str]]] = []
    for need in needs:
        same = [
            hosts
            for one, hosts in found
            if (one.order, one.what, one.commands) == (need.order, need.what, need.commands)
        ]
        if same:
            same[0].append(need.host)
        else:
            found.append((need, [need.host]))
    return found


def _text(need: Need) -> str:
    return "\n".join(need.commands)


def undo_lines(records: Sequence[UndoRecord], kept: Sequence[tuple[UndoRecord, str]]) -> list[str]:
    """Return every command that would be run to undo, and what is kept, with the reason."""
    lines = ["What would be undone, as root, in this order:"]
    host = None
    for one in records:
        place = "the primary" if one.is_on_primary else one.host
        if place != host:
            host = place
            lines += ["", f"on {place}:"]
        when = " (last of all)" if one.order == LAST else ""
        lines += [f"    # {one.file.removesuffix('.undo')}{when}"]
        if one.packages:
            lines += [f"    # removes {', '.join(one.packages)}"]
        lines += [f"    {command}" for command in one.commands]
    for one, why in kept:
        lines += ["", f"kept on {one.host}: {one.file}, because {why}"]
    return lines


def left_lines(
    kept: Sequence[tuple[UndoRecord, str]], said: Sequence[tuple[str, str]]
) -> list[str]:
    """Return what an undo leaves: the records that it kept, and what each host said."""
    return [
        *(f"{host}: {line}" for host, line in said),
        *(
            f"{one.host}: {one.file.removesuffix('.undo')} is kept, because {why}; when that is no "
            "longer so, run: pgpool-recovery setup --undo"
            for one, why in kept
        ),
    ]


def undone_lines(left: Sequence[str], *, is_complete: bool) -> list[str]:
    """Return the last words of an undo; `is_complete`: no record was kept."""
    lines = ["Everything that setup did is taken back."]
    if left:
        lines = ["What is left, and what to do about it:", *(f"    {one}" for one in left)]
        lines += ["Everything else that setup did is taken back."]
    if is_complete:
        lines += ["The command itself is removed with the package pgpool-recovery of this host."]
    return lines


def _nodes(around: ClusterState, name: str) -> str:
    host = next(host for host in around.hosts if host.name == name)
    return ", ".join(
        f"{node.backend.name} ({node.role or node.state}"
        + (f", PostgreSQL {node.major})" if node.major is not None else ")")
        for node in host.nodes
    )


def _row(item: Item, unseen: set[str]) -> tuple[str, str, str]:
    match item:
        case There():
            return item.host, IS_THERE, f"{_name(item.name)}: {item.what}"
        case Need():
            return item.host, UNSEEN if item.host in unseen else MISSING, item.what
        case Advice():
            return item.host, YOURS if item.is_needed else HINT, item.what


def _name(name: str) -> str:
    number, _, rest = name.partition("-")
    return (rest if number.isdecimal() else name).replace("-", " ")
