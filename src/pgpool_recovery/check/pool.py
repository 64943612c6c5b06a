"""What Pgpool-II calls, as which role, in which database, and what pgpool.conf says about it."""

from collections.abc import Iterator

from pgpool_recovery.check.estimates import sentence
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.host import EXTENSION_VERSION
from pgpool_recovery.check.question import PoolFacts
from pgpool_recovery.check.report import ExtensionFacts, Report
from pgpool_recovery.in_server.script_name import is_inside

FIRST_THAT_GOES_ON = (4, 5)
"""Since then, the PCP process does not wait for everything that it serves when it is restarted."""
FUNCTIONS = (
    "pgpool_recovery(text, text, text, text, integer, text, text), pgpool_remote_start(text, text)"
)


def pool(report: Report) -> Iterator[Finding]:
    """Report what would make a recovery by Pgpool-II fail."""
    yield from _extension(report)
    yield from _user(report)
    yield from _commands(report.question.pool)
    yield from _holds_failovers_up(report.question.pool)
    if report.question.pool.settings.get("recovery_timeout") in ("0", "0s"):
        yield Finding(
            Kind.RECOVERY_TIMEOUT,
            None,
            "recovery_timeout is 0, so Pgpool-II hardly waits for a recovered node",
            "Set recovery_timeout = 90 in pgpool.conf and reload Pgpool-II.",
        )


def _extension(report: Report) -> Iterator[Finding]:
    wanted = report.question.pool.databases
    found = {facts.database: facts for facts in report.extensions}
    missing = [found[name] for name in wanted if name in found and found[name].version is None]
    having = [facts for facts in report.extensions if facts.version is not None]
    for facts in missing:
        # If the version of Pgpool-II is not known, one of the two databases is enough.
        if len(wanted) > 1 and any(one.database in wanted for one in having):
            continue
        yield _missing(report, facts, [one.database for one in having])
    for facts in having:
        if facts.foreign is not None:
            text = (
                f"{facts.foreign.fact}, so our sessions do not use the extension pgpool_recovery "
                "there"
            )
            if facts.database in wanted:
                text += (
                    "; Pgpool-II's own call names no schema, so the owner decides which function "
                    "it calls"
                )
            yield Finding(Kind.FOREIGN_OWNER, _primary(report), text, facts.foreign.advice)
        if facts.version != EXTENSION_VERSION:
            yield Finding(
                Kind.OLD_EXTENSION,
                _primary(report),
                f"extension pgpool_recovery in database {facts.database} has version "
                f"{facts.version}, not {EXTENSION_VERSION}",
                f"In {facts.database}: ALTER EXTENSION pgpool_recovery UPDATE",
            )


def _missing(report: Report, facts: ExtensionFacts, elsewhere: list[str]) -> Finding:
    version = report.question.pool.settings.get("pgpool_version")
    caller = "Pgpool-II" if version is None else f"Pgpool-II {version}"
    text = f"database {facts.database}, where {caller} calls it, has no extension pgpool_recovery"
    advice = f"In {facts.database}: CREATE EXTENSION pgpool_recovery"
    if facts.problem is not None:
        return Finding(
            Kind.EXTENSION_NOT_SEEN,
            _primary(report),
            f"it is not known whether database {facts.database}, where {caller} calls it, has "
            f"the extension pgpool_recovery: {sentence(facts.problem)}",
            "Let the stage commands log in there ([primary] of the settings, pg_hba.conf).",
        )
    if elsewhere:
        return Finding(
            Kind.EXTENSION_ELSEWHERE,
            _primary(report),
            f"{text}; it is in {' and '.join(elsewhere)}",
            advice,
        )
    return Finding(Kind.NO_EXTENSION, _primary(report), text, advice)


def _user(report: Report) -> Iterator[Finding]:
    role = report.role
    if role is None:
        return
    text = f"recovery_user {role.name}"
    node_id = _primary(report)
    if not role.exists:
        yield Finding(
            Kind.RECOVERY_USER,
            node_id,
            f"{text} does not exist",
            "Name a superuser in pgpool.conf, or a role that may execute the functions.",
        )
    elif not role.can_login:
        yield Finding(
            Kind.RECOVERY_USER, node_id, f"{text} may not log in", f"ALTER ROLE {role.name} LOGIN"
        )
    elif not role.is_superuser:
        for facts in report.extensions:
            if facts.version is not None and not facts.may_call:
                yield Finding(
                    Kind.RECOVERY_USER,
                    node_id,
                    f"{text} is not a superuser and may not call pgpool_recovery in database "
                    f"{facts.database}",
                    f"In {facts.database}: GRANT EXECUTE ON FUNCTION {FUNCTIONS} TO {role.name}",
                )


def _commands(asked: PoolFacts) -> Iterator[Finding]:
    given = asked.settings.get("recovery_1st_stage_command")
    if given == "":
        yield Finding(
            Kind.STAGE_COMMAND,
            None,
            "recovery_1st_stage_command is not set, so nothing prepares a node",
            "Set recovery_1st_stage_command = 'recovery_1st_stage' in pgpool.conf.",
        )
    for setting, command in asked.stage_commands.items():
        if not is_inside(command):
            yield Finding(
                Kind.STAGE_COMMAND,
                None,
                f'{setting} is "{command}", which is not a path inside the data directory',
                f"Put the script into the data directory of every node and set {setting} = "
                f"'{command.rpartition('/')[2] or 'recovery_1st_stage'}' in pgpool.conf.",
            )


def _holds_failovers_up(asked: PoolFacts) -> Iterator[Finding]:
    """Report that a recovery by Pgpool-II itself holds up failovers, if its main process waits."""
    if asked.version is None or asked.version >= FIRST_THAT_GOES_ON:
        return
    has_stages = bool(asked.settings.get("recovery_2nd_stage_command"))
    yield Finding(
        Kind.HOLDS_FAILOVERS_UP,
        None,
        f"while Pgpool-II {asked.settings['pgpool_version']} runs a recovery itself, as with "
        "pcp_recovery_node, it may not handle a failure of another node until that has ended",
        "Install Pgpool-II 4.5 or later."
        if has_stages
        else 'Recover with "pgpool-recovery recover NODE", which calls the primary by SQL, or '
        "install Pgpool-II 4.5 or later.",
    )


def _primary(report: Report) -> int | None:
    place = report.primary_place
    return None if place is None else report.target(place).node_id
