"""setup: set a running cluster up for recoveries, from the host of Pgpool-II, and undo that."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pgpool_recovery.cli.say import say, say_json
from pgpool_recovery.domain.error import RecoveryError, Refused, Unverified, UsageError

if TYPE_CHECKING:
    from pgpool_recovery.control.check import Reported
    from pgpool_recovery.setup.access import RootShell
    from pgpool_recovery.setup.facts import ClusterState, PackageFiles, PoolState
    from pgpool_recovery.setup.need import Item, Need

MAX_ROUNDS = 3
"""What one round adds can show what else is missing, as a key that was unknown before."""
PRIVATE_SCRIPT = 0o700
PRIVATE_FILE = 0o600
INCOMPLETE = Refused.exit_status


def setup(
    *,
    pgpool_conf: Path | None = None,
    packages: Path | None = None,
    ssh_user: str | None = None,
    script: Path | None = None,
    playbook: Path | None = None,
    undo: bool = False,
    yes: bool = False,
    dry_run: bool = False,
    as_json: bool = False,
) -> int:
    """Set a running cluster up for recoveries, from the host of Pgpool-II."""
    from pgpool_recovery.setup.observe import observe_pool, package_files

    if undo and (script is not None or playbook is not None):
        raise UsageError("--undo cannot be combined with --script or --playbook")
    if ssh_user is not None and (not ssh_user or ssh_user.startswith("-")):
        raise UsageError(f'invalid user "{ssh_user}"')
    pool = observe_pool(pgpool_conf)
    may_ask = sys.stdin.isatty() and not yes and not as_json
    shells = _shells(pool, ssh_user, may_ask=may_ask)
    if undo:
        return _undo(pool, shells, yes=yes, dry_run=dry_run, as_json=as_json)
    files = package_files(packages)
    around, items = _look(pool, files, shells)
    if script is not None or playbook is not None:
        return _write(around, items, script, playbook, as_json=as_json)
    done, before = list[str](), frozenset[str]()
    for _ in range(MAX_ROUNDS):
        needs = _possible(around, items)
        names = frozenset(f"{need.host}: {need.name}" for need in needs)
        if needs and names <= before:
            raise Unverified(
                f"still missing after it was carried out: {', '.join(sorted(names))}",
                detail="\n".join(f"{need.host}: {need.what}" for need in needs),
                hint="What was done is on record: pgpool-recovery setup --undo takes it back.",
            )
        before = names
        if not as_json:
            _show(around, items, needs)
        if dry_run or not needs:
            break
        _confirm(needs, yes=yes)
        done += _carry_out(needs, shells, files, as_json=as_json)
        pool = observe_pool(pgpool_conf)
        around, items = _look(pool, files, shells)
    return _finish(around, items, shells, done, dry_run=dry_run, as_json=as_json)


def _shells(
    pool: "PoolState", ssh_user: str | None, *, may_ask: bool
) -> "dict[str, RootShell | RecoveryError]":
    from pgpool_recovery.setup.access import open_shell
    from pgpool_recovery.setup.need import POOL_HOST
    from pgpool_recovery.setup.observe import open_shells

    shells = open_shells(pool, lambda host: open_shell(host, ssh_user, may_ask=may_ask))
    return {**shells, POOL_HOST: open_shell("localhost", None, may_ask=False)}


def _look(
    pool: "PoolState",
    files: "PackageFiles | None",
    shells: "Mapping[str, RootShell | RecoveryError]",
) -> "tuple[ClusterState, tuple[Item, ...]]":
    from pgpool_recovery.setup.decide import decide
    from pgpool_recovery.setup.observe import observe

    around = observe(pool, files, shells)
    return around, decide(around)


def _possible(around: "ClusterState", items: "Sequence[Item]") -> "tuple[Need, ...]":
    """Return the needs of the hosts that were examined; nothing is done on others."""
    from pgpool_recovery.setup.need import needs_of

    unseen = {host.name for host in around.hosts if host.problem is not None}
    return tuple(need for need in needs_of(items) if need.host not in unseen)


def _show(around: "ClusterState", items: "Sequence[Item]", needs: "Sequence[Need]") -> None:
    from pgpool_recovery.cli.render.setup import found_lines, plan_lines

    say(*found_lines(around, items))
    if needs:
        say("", *plan_lines(needs))
    if any(host.problem is not None for host in around.hosts):
        say("", "For hosts that setup cannot log in to: pgpool-recovery setup --script FILE")


def _confirm(needs: "Sequence[Need]", *, yes: bool) -> None:
    from pgpool_recovery.cli.consent import ask

    hosts = list(dict.fromkeys(need.host for need in needs))
    ask(f"Run these commands on {', '.join(hosts)}?", "the setup", yes=yes)


def _carry_out(
    needs: "Sequence[Need]",
    shells: "Mapping[str, RootShell | RecoveryError]",
    files: "PackageFiles | None",
    *,
    as_json: bool,
) -> list[str]:
    from pgpool_recovery.setup.carry_out import carry_out

    def tell(need: "Need") -> None:
        if not as_json:
            say(f"{need.host}: {need.name}")

    open_ones = {host: one for host, one in shells.items() if not isinstance(one, RecoveryError)}
    done = list[str]()
    for one in carry_out(needs, open_ones, files, tell):
        for line in () if as_json else one.said:
            say(f"    {line}")
        if not one.was_there:
            done.append(f"{one.need.host}: {one.need.name}")
    return done


def _finish(
    around: "ClusterState",
    items: "Sequence[Item]",
    shells: "Mapping[str, RootShell | RecoveryError]",
    done: Sequence[str],
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Check the result, unless something is still missing; print it, and what to do next."""
    from pgpool_recovery.cli.render.check import check_lines
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.control.check import status_of
    from pgpool_recovery.setup.need import Advice, Need

    is_missing = any(isinstance(item, Need) for item in items)
    is_left = any(isinstance(item, Advice) and item.is_needed for item in items)
    findings: Sequence[Reported] = ()
    if not is_missing:
        findings = _findings(around, shells)
    status = status_of(findings, strict=False)
    if is_left or (is_missing and not dry_run):
        status = INCOMPLETE
    if as_json:
        say_json(
            document(items=_documents(items), done=done, findings=findings, exit_status=status)
        )
        return status
    if findings:
        say("", "The check of all nodes:", *check_lines(findings))
    if not is_missing and not is_left:
        say("", *_next_steps(around))
    return status


def _findings(
    around: "ClusterState", shells: "Mapping[str, RootShell | RecoveryError]"
) -> "Sequence[Reported]":
    from pgpool_recovery.setup.check import check

    primary = around.primary
    if primary is None:
        return ()
    shell = shells[around.host_of(primary).name]
    return () if isinstance(shell, RecoveryError) else check(around.pool, primary, shell)


def _documents(items: "Sequence[Item]") -> list[dict[str, object]]:
    from pgpool_recovery.domain.record import names_of

    kinds = {"There": "ok", "Need": "missing", "Advice": "advice"}
    return [
        {"kind": kinds[type(item).__name__], **{n: getattr(item, n) for n in names_of(item)}}
        for item in items
    ]


def _next_steps(around: "ClusterState") -> list[str]:
    """Return how a node is recovered, as the user whose password files Pgpool-II uses."""
    from pgpool_recovery.control.pool_user import name_of, pool_users
    from pgpool_recovery.setup.pool import pcp_user

    nodes = [node for node in around.nodes if not node.is_primary]
    node = nodes[0].backend.node_id if nodes else 1
    user = pcp_user(Path(around.pool.conf)) or "PCP_USER"
    owners = sorted(pool_users())
    sudo = f"sudo -u {name_of(owners[0])} " if owners and owners[0] != 0 else ""
    return [
        "The cluster is set up. A node that is down is recovered by Pgpool-II:",
        f"    pcp_recovery_node -h localhost -U {user} -n {node}",
        "or, with a plan that you confirm, and with its steps shown:",
        f"    {sudo}pgpool-recovery recover {node} --username {user}",
        "To take everything back: pgpool-recovery setup --undo",
    ]


def _write(
    around: "ClusterState",
    items: "Sequence[Item]",
    script: Path | None,
    playbook: Path | None,
    *,
    as_json: bool,
) -> int:
    """Write the commands to files instead of running them."""
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.setup.carry_out import secrets_of
    from pgpool_recovery.setup.need import filled, needs_of
    from pgpool_recovery.setup.output import write_output
    from pgpool_recovery.setup.playbook import playbook as playbook_of
    from pgpool_recovery.setup.script import lacking
    from pgpool_recovery.setup.script import script as script_of

    needs = needs_of(items)
    values = secrets_of(needs)
    makers = [need.makes for need in needs if need.makes is not None]
    ready = [filled(need, values) for need in needs if not lacking(need, makers)]
    written = list[str]()
    if script is not None:
        for host in dict.fromkeys(need.host for need in ready):
            own = [need for need in ready if need.host == host]
            file = script.with_name(f"{script.stem}-{host.replace(' ', '-')}{script.suffix}")
            write_output(file, script_of(own), mode=PRIVATE_SCRIPT)
            written.append(str(file))
    if playbook is not None:
        write_output(
            playbook, playbook_of(ready, around.packages, [*values.values()]), mode=PRIVATE_FILE
        )
        written.append(str(playbook))
    waiting = [f"{need.host}: {need.what}" for need in needs if lacking(need, makers)]
    if as_json:
        say_json(document(items=_documents(items), written=written, waiting=waiting))
        return 0
    _show(around, items, ())
    say("", *(f"{file} written" for file in written))
    if script is not None and any(need.files for need in ready):
        say("Put the package files beside each script, on its host, and run it there as root.")
    if waiting:
        say(
            "After that, run setup again for what depends on it:",
            *(f"    {one}" for one in waiting),
        )
    return 0


def _undo(
    pool: "PoolState",
    shells: "Mapping[str, RootShell | RecoveryError]",
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    from pgpool_recovery.cli.consent import ask
    from pgpool_recovery.cli.render.document import document
    from pgpool_recovery.cli.render.setup import left_lines, undo_lines, undone_lines
    from pgpool_recovery.setup.need import POOL_HOST
    from pgpool_recovery.setup.observe import observe
    from pgpool_recovery.setup.said import stays as told_to_stay
    from pgpool_recovery.setup.undo import in_order, kept, read_in_use, read_records, undo
    from pgpool_recovery.ssh.locality import is_this_host

    around = observe(pool, None, shells)
    is_local = any(is_this_host(host.name) for host in around.hosts)
    closed = [one for one in shells.values() if isinstance(one, RecoveryError)]
    if closed:
        raise closed[0]
    opened = {host: one for host, one in shells.items() if not isinstance(one, RecoveryError)}
    asked = [host for host in opened if host != POOL_HOST or not is_local]
    records = in_order([one for host in asked for one in read_records(host, opened[host])])
    primary = around.primary
    primary_host = None if primary is None else around.host_of(primary).name
    in_use = read_in_use(primary, None if primary_host is None else opened[primary_host])
    stays = [(one, why) for one in records if (why := kept(one, in_use)) is not None]
    goes = [one for one in records if kept(one, in_use) is None]
    if not as_json:
        say(*(undo_lines(goes, stays) if records else ["nothing of setup is on record"]))
    done, remains = list[str](), list[tuple[str, str]]()
    if goes and not dry_run:
        ask(f"Undo this on {', '.join(dict.fromkeys(o.host for o in goes))}?", "the undo", yes=yes)
        steps = undo(
            goes,
            opened,
            primary,
            primary_host,
            in_use,
            lambda one: None if as_json else say(f"{one.host}: {one.file.removesuffix('.undo')}"),
        )
        for one, said in steps:
            done.append(f"{one.host}: {one.file.removesuffix('.undo')}")
            remains += [(one.host, line) for line in told_to_stay(said)]
            for line in () if as_json else said:
                say(f"    {line}")
    left = left_lines(stays, remains)
    if as_json:
        kept_records = [f"{one.host}: {one.file}, because {why}" for one, why in stays]
        say_json(document(undone=done, kept=kept_records, left=left))
    elif records and not dry_run:
        say("", *undone_lines(left, is_complete=not stays))
    return 0
