"""Read the pgpool.conf of this host, and decide what it lacks for recoveries."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pgpool_recovery.domain.error import Refused, UsageError, reason_of
from pgpool_recovery.domain.node import parse_data_directory, parse_host, parse_node_id, parse_port
from pgpool_recovery.files.text import read_lines, read_text
from pgpool_recovery.install.pgpool_conf import TWO_STAGES, mode_of, recovery_lines, values_of
from pgpool_recovery.setup.facts import Backend, ClusterState, PoolState
from pgpool_recovery.setup.need import POOL_HOST, Advice, Item, Need, There, words

NAME = "60-pgpool-conf"
PLACES = (Path("/etc/pgpool2/pgpool.conf"), Path("/etc/pgpool-II/pgpool.conf"))
"""Of the packages of Debian, and of Enterprise Linux."""
BACKEND = re.compile(r"backend_hostname(\d+)")
PLAIN_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
DATABASE_SINCE = (4, 7)
DEFAULT_PORT = "5432"
LOCAL = "localhost"
FIRST = "recovery_1st_stage_command"


def find_conf(named: Path | None) -> Path:
    """Return the pgpool.conf; raise Refused if there is none, or more than one."""
    if named is not None:
        return named.absolute()
    found = [place for place in PLACES if place.is_file()]
    if len(found) != 1:
        said = " and ".join(map(str, PLACES))
        raise Refused(
            "no pgpool.conf was found" if not found else "there is more than one pgpool.conf",
            detail=f"{said} were looked for.",
            hint="Run setup on the host of Pgpool-II, and name the file with --pgpool-conf.",
        )
    return found[0]


def read_pool(
    conf: Path, program: str | None, release: tuple[int, int] | None, *, is_running: bool
) -> PoolState:
    """Return what a pgpool.conf says; raise Refused if it cannot be read or names no nodes."""
    try:
        text = read_text(conf)
    except OSError as error:
        raise Refused(
            f"could not read {conf}: {reason_of(error)}",
            hint="Run setup as root, on the host of Pgpool-II.",
        ) from error
    return pool_of(str(conf), text, program, release, is_running=is_running)


def pool_of(
    conf: str, text: str, program: str | None, release: tuple[int, int] | None, *, is_running: bool
) -> PoolState:
    """Return what the text of a pgpool.conf says; raise Refused if it names no nodes."""
    values = values_of(text)
    backends = tuple(_backends(values))
    if not backends:
        raise Refused(
            f"{conf} names no nodes",
            detail="It has no backend_hostname0."
            + (" It includes other files, which setup does not read." if _includes(values) else ""),
            hint="Name the right file with --pgpool-conf.",
        )
    is_new = release is not None and release >= DATABASE_SINCE
    database = (values.get("recovery_database") or "postgres") if is_new else "template1"
    if PLAIN_NAME.fullmatch(database) is None:
        raise UsageError(
            f'setup cannot handle the recovery_database "{database}"',
            detail="psql would take it for more than a name, or a file could not have it in its "
            "name.",
            hint="Use a name of letters, digits and ._- only.",
        )
    # In the other mode Pgpool-II runs no second stage, whatever the file says.
    wanted = dict(_pairs(recovery_lines(text)))
    used = wanted if mode_of(text) in TWO_STAGES else {FIRST: wanted[FIRST]}
    changes = {name: value for name, value in used.items() if values.get(name, "") != value}
    return PoolState(
        conf, program, release, is_running, database, backends, values, changes=changes
    )


def pcp_user(conf: Path) -> str | None:
    """Return the first user of pcp.conf beside a pgpool.conf; None if there is none to be read."""
    try:
        lines = read_lines(conf.with_name("pcp.conf"))
    except OSError:
        return None
    users = (line.partition(":") for line in lines if not line.lstrip().startswith("#"))
    return next((user.strip() for user, colon, _ in users if colon and user.strip()), None)


def pool_items(around: ClusterState) -> Iterator[Item]:
    """Yield what pgpool.conf has for recoveries, and what it lacks."""
    pool = around.pool
    if not pool.recovery_user:
        yield Advice(
            POOL_HOST,
            "recovery_user",
            f"{pool.conf} sets no recovery_user",
            "Set recovery_user to a superuser, with its password in pool_passwd or "
            "recovery_password, and reload Pgpool-II.",
            is_needed=True,
        )
    if not pool.changes:
        first = pool.parameters.get(FIRST, "")
        yield There(POOL_HOST, NAME, f"{pool.conf} calls {first}")
        return
    now = ", ".join(f"{name} = '{pool.parameters.get(name, '')}'" for name in pool.changes)
    reload = _reload(pool)
    yield Need(
        POOL_HOST,
        NAME,
        f"{pool.conf} does not call our stage commands: {now}",
        "Pgpool-II runs the command of this name in the data directory of the primary.",
        test="false",
        commands=(
            words(
                *(*around.command, "install", "--pgpool-conf", pool.conf),
                *("--without-hooks", "--yes"),
            ),
            *reload,
        ),
        undo=(words(*around.command, "uninstall", "--pgpool-conf", pool.conf), *reload),
    )


def _reload(pool: PoolState) -> tuple[str, ...]:
    if not pool.is_running or pool.program is None:
        return ()
    return (words(pool.program, "-f", pool.conf, "reload"),)


def _backends(values: Mapping[str, str]) -> Iterator[Backend]:
    numbers = (found[1] for found in map(BACKEND.fullmatch, values) if found)
    for number in sorted(numbers, key=int):
        host = values[f"backend_hostname{number}"]
        directory = values.get(f"backend_data_directory{number}")
        if not directory:
            raise UsageError(
                f"backend_data_directory{number} is not set in pgpool.conf",
                hint="Online recovery needs it; set it, and run setup again.",
            )
        yield Backend(
            parse_node_id(number),
            parse_host(host) if host and not host.startswith("/") else LOCAL,
            parse_port(values.get(f"backend_port{number}", DEFAULT_PORT)),
            parse_data_directory(directory),
        )


def _includes(values: Mapping[str, str]) -> bool:
    return any(name.startswith("include") for name in values)


def _pairs(lines: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.partition(" = ")
        yield name, value[1:-1]
