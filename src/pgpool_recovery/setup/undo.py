"""Take back what setup has recorded on each host, and nothing else."""

import re
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from pgpool_recovery.domain.error import Undone, Unreachable
from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.text import steers
from pgpool_recovery.setup.access import RootShell
from pgpool_recovery.setup.facts import NodeState
from pgpool_recovery.setup.need import words
from pgpool_recovery.setup.pool import PLAIN_NAME
from pgpool_recovery.setup.replication import IN_USE
from pgpool_recovery.setup.said import worth_saying
from pgpool_recovery.setup.script import COPIED_TO, in_main
from pgpool_recovery.setup.statement import on_primary

RECORDS = "/var/lib/pgpool-recovery-setup"
WITHIN_S = 900.0
READ = f"""\
for record in {RECORDS}/*.undo; do
    [ -e "$record" ] || continue
    printf 'record %s\\n' "${{record##*/}}"
    sed 's/^/ /' "$record"
done
if [ -e {RECORDS}/packages.added ]; then
    sed 's/^/added /' {RECORDS}/packages.added
fi
"""
OF_REPLICATION = ("40", "41", "42")
PACKAGES = "10-packages.undo"
HAS_LANGUAGE = "SELECT count(*) FROM pg_catalog.pg_language WHERE lanname ~ '^plpython3u?$'"
COUNT = re.compile(r"\d+")
OUR_SQL = re.compile(
    r"DROP EXTENSION IF EXISTS pgpool_recovery;"
    r"|DROP ROLE IF EXISTS pgpool_recovery_replication;"
    r"|CREATE EXTENSION IF NOT EXISTS pgpool_recovery"
    r""" WITH SCHEMA ("([^"]|"")+"|[a-z_][a-z0-9_$]*) VERSION '[\w.]+';""",
    re.ASCII,
)
"""What the records say that are undone on the primary, which may be another host than theirs."""
DATABASES = "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn"


@record
class UndoRecord:
    """A record of one change: its file on a host, and the commands that take it back.

    `packages` are those that setup added there, for the record of packages.
    """

    host: str
    file: str
    commands: tuple[str, ...]
    packages: tuple[str, ...] = ()

    @property
    def is_on_primary(self) -> bool:
        """Whether it is undone in the databases."""
        return self.file.endswith(".primary.undo")

    @property
    def order(self) -> str:
        """The number that puts it into its place."""
        return self.file.partition("-")[0]


@record
class InUse:
    """What users have made since, which keeps some records from being undone."""

    replication: bool
    python: bool


def read_records(host: str, shell: RootShell) -> list[UndoRecord]:
    """Return the records of a host; raise Unreachable if they cannot be read."""
    ran = shell.run(READ, within_s=WITHIN_S)
    if ran.status != 0:
        raise Unreachable(f"could not read the records on {host}", detail=ran.last_lines)
    found = defaultdict[str, list[str]](list)
    name, added = "", list[str]()
    for line in lines_of(ran.output):
        if line.startswith("record "):
            name = line.removeprefix("record ")
            found[name] = []
        elif line.startswith("added "):
            added.append(line.removeprefix("added "))
        elif name:
            found[name].append(line[1:])
    return [
        UndoRecord(host, name, tuple(lines), tuple(added if name == PACKAGES else ()))
        for name, lines in found.items()
    ]


def in_order(records: Sequence[UndoRecord]) -> list[UndoRecord]:
    """Return the records of all hosts in the order in which they are undone: the last one first."""
    return sorted(records, key=lambda one: one.order, reverse=True)


def kept(one: UndoRecord, in_use: InUse) -> str | None:
    """Return why a record is not undone, or None."""
    if one.order in OF_REPLICATION and in_use.replication:
        return "a standby streams with this login"
    return None


def read_in_use(primary: NodeState | None, shell: RootShell | None) -> InUse:
    """Return what the databases use of what setup made; without a primary, everything."""
    if primary is None or shell is None:
        return InUse(replication=True, python=True)
    script = (
        f"{printed(IN_USE)} | sql postgres\n"
        f'names="$({printed(DATABASES)} | sql postgres)"\n'
        "printf '%s\\n' \"$names\" | while IFS= read -r name; do\n"
        f'    {printed(HAS_LANGUAGE)} | sql "$name"\ndone\n'
    )
    ran = shell.run(place_of(primary) + in_main(script), within_s=WITHIN_S)
    # The server may have warned whenever a session began, as of another version of a collation.
    numbers = [line for line in lines_of(ran.output) if COUNT.fullmatch(line)]
    if ran.status != 0 or not numbers:
        raise Unreachable("could not query the primary", detail=ran.last_lines)
    return InUse(replication=numbers[0] != "0", python=any(one != "0" for one in numbers[1:]))


def undo(
    records: Sequence[UndoRecord],
    shells: Mapping[str, RootShell],
    primary: NodeState | None,
    primary_host: str | None,
    in_use: InUse,
    on_start: Callable[[UndoRecord], None],
) -> Iterator[tuple[UndoRecord, tuple[str, ...]]]:
    """Yield each record that was undone, with what a person should see of its output; remove it.

    Raises Undone at the first that fails.
    """
    head = "KEEP_PYTHON=yes\n" if in_use.python else ""
    for one in in_order(records):
        if kept(one, in_use) is not None:
            continue
        on_start(one)
        host, commands = one.host, one.commands
        if one.is_on_primary:
            if primary is None or primary_host is None:
                raise Unreachable(
                    f"{one.file} of {one.host} must be undone on the primary, and there is none",
                    hint="Start the primary, and run setup --undo again.",
                )
            host = primary_host
            if host != one.host:
                commands = tuple(_elsewhere(one))
        place = "" if primary is None else place_of(primary)
        ran = shells[host].run(place + head + in_main("\n".join(commands)), within_s=WITHIN_S)
        if ran.status != 0:
            raise Undone(
                f"{one.file} of {one.host} could not be undone on {host}",
                detail=f"Exit status {ran.status}.\n{ran.last_lines}",
                hint="What was undone before stays undone. Remove the cause, and run "
                "setup --undo again: it goes on from there.",
            )
        remove = (
            f"rm -rf {words(f'{RECORDS}/{one.file}', COPIED_TO)}\n"
            f"rmdir {RECORDS} 2>/dev/null || true\n"
        )
        shells[one.host].run(remove, within_s=WITHIN_S)
        yield one, tuple(worth_saying(ran.output))


def _elsewhere(one: UndoRecord) -> Iterator[str]:
    """Yield the commands of a record for a host other than its own, made from the SQL in it.

    Whoever has taken over one host could otherwise have us run anything on another, as root.
    Raises Undone if it has anything else than our SQL.
    """
    lines = list(one.commands)
    while lines:
        line = lines.pop(0)
        sql = database = ""
        with suppress(ValueError):
            match shlex.split(line):
                case ["printf", "%s\\n", sql, "|", "sql", database]:
                    pass
                case ["sql", database, "<<SQL"] if lines[1:2] == ["SQL"]:
                    sql = lines.pop(0)
                    lines.pop(0)
        is_ours = OUR_SQL.fullmatch(sql) and PLAIN_NAME.fullmatch(database)
        if not is_ours or steers(sql):
            raise Undone(
                f"{one.file} of {one.host} is not as setup wrote it, so it is not run elsewhere",
                detail=f"It contains: {line}",
                hint=f"Correct {RECORDS}/{one.file} on {one.host}, or remove it.",
            )
        yield on_primary(database, sql.removesuffix(";"))


def place_of(primary: NodeState) -> str:
    """Return the variables by which the function sql finds the primary."""
    values = {
        "OWNER": primary.owner,
        "PSQL": f"{primary.bindir}/psql",
        "SOCKET": primary.socket or "",
        "PORT": str(primary.port or primary.backend.port),
    }
    return "".join(f"{name}={words(value)}\n" for name, value in values.items())


def printed(query: str) -> str:
    """Return the command that prints a query."""
    return f"printf '%s\\n' {words(query + ';')}"
