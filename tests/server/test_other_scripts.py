"""Stage scripts that are not ours run as they do with the stock extension.

Each script runs with both, on one server, and writes what it found to the file `trace` in the data
directory. Those files, and how the calls ended, are compared.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pytest

from tests.harness.postgresql import Server
from tests.harness.product import create_stock_function
from tests.harness.until import until
from tests.server.conftest import write_script

CALL = "SELECT {}pgpool_recovery('{}', 'host 1', '/data/of it', '5432', 1, '5433', 'primary')"
SCRIPTS = {
    "set -e, and a step that fails": "set -e\necho one >trace\nfalse\necho two >>trace",
    "set -u": 'set -u\necho "$8" >trace',
    "pipefail": "set -euo pipefail\nfalse | true\necho >trace",
    "errexit in a function": "set -eE\ntrap 'echo failed $? >trace' ERR\nf() { false; }\nf",
    "xtrace": 'set -x\necho "$@" >trace',
    "words": 'printf "[%s]" "$0" "$#" "$@" >trace',
    "shift and defaults": "shift 7\necho ${1:-none} >trace",
    "exit 0 with lines on standard error": "echo all well >&2; echo done >trace",
    "exit 1 with nothing said": "exit 1",
    "exit 255": "exit 255",
    "exit 300": "exit 300",
    "killed by itself": "kill -9 $$",
    "reads standard input": "cat >trace; read line; echo $? >>trace",
    "standard input is closed by it": "exec <&-; echo closed >trace",
    "asks whether there is a terminal": "[ -t 0 ] || [ -t 1 ] || echo none >trace; tty >>trace",
    "$PGDATA and the directory": 'echo "$PGDATA" "$PWD" "$(pwd -P)" >trace',
    "relative paths": "ls -d global PG_VERSION ./base >trace",
    "a helper beside it": 'echo "echo helped" >helper; . ./helper >trace; rm helper',
    "$HOME and the user": 'echo "$HOME" "$USER" "$LOGNAME" "$(id -un)" >trace',
    "locale": "locale >trace 2>&1",
    "umask": "umask >trace; : >made; stat -c %a made >>trace; rm made",
    "environment": "env | sort >trace",
    "limits": "ulimit -a >trace",
    "signals that are blocked": "grep SigBlk /proc/self/status >trace",
    "own log": "exec >own.log 2>&1; echo logged; cat own.log >trace; rm own.log",
    "tee": (
        "exec > >(tee own.log) 2>&1; echo logged\n"
        "for _ in {1..200}; do [ -s own.log ] && break; sleep 0.1; done\n"
        "cat own.log >trace; rm own.log"
    ),
    "binary output": "head -c 5000 /dev/zero; printf '\\377\\376\\x1b[2J\\r\\n'; echo >trace",
    "very long line": "head -c 200000 /dev/zero | tr '\\0' x; echo >trace",
    "a backgrounded child that keeps standard output": "sleep 3 & echo begun >trace",
    "nohup": "nohup sleep 3 >/dev/null 2>&1 & echo begun >trace",
    "a daemon": "setsid sh -c 'sleep 3; echo late' & echo begun >trace",
    "function with psql and host only": (
        '[ -z "$PGHOST$PGDATABASE" ] && echo nothing of ours >trace'
    ),
    "a temporary file": 'f=$(mktemp) && trap "rm -f $f" EXIT && echo x >$f && cat $f >trace',
    "a lock": "exec 9>lock; flock -n 9 && echo locked >trace; rm lock",
    "subshells": "(cd / && pwd) >trace; (exit 4); echo $? >>trace",
    "here document": "cat >trace <<EOF\nhost $2\nEOF",
    "timeout": "timeout 5 sh -c 'echo in time >trace'",
}
INTERPRETERS = {
    "perl": ("#!/usr/bin/perl -w", 'open F,">trace"; print F "@ARGV|$ENV{PGDATA}\\n"; close F;'),
    "python": ("#!/usr/bin/env python3", "import sys; open('trace', 'w').write(repr(sys.argv))"),
    "env with words": ("#!/usr/bin/env -S bash -eu", "echo $- | tr -d s >trace"),
    "no interpreter line": ("echo plain", "echo $0 $# >trace"),
    "carriage returns": ("#!/bin/bash\r", "echo >trace"),
    "no such interpreter": ("#!/opt/nowhere/bash", "echo >trace"),
    "byte order mark": ("\ufeff#!/bin/bash", "echo begun >trace"),
}


@dataclass(frozen=True)
class End:
    """How a call ended, and what the script wrote to its trace."""

    returned: bool
    trace: str


@pytest.fixture
def both(server: Server) -> Server:
    create_stock_function(server)
    return server


def call(server: Server, schema: str, name: str = "stage") -> tuple[End, str]:
    """Call one of the two functions; return its end, and all its messages."""
    trace = server.machine.path(server.data_directory / "trace")
    trace.unlink(missing_ok=True)
    said: list[str] = []
    with psycopg.connect(server.conninfo(dbname="postgres"), autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
        try:
            connection.execute(CALL.format(schema, name).encode())
            returned = True
        except psycopg.Error as error:
            returned = False
            said += [str(error), str(error.diag.message_detail), str(error.diag.message_hint)]
    text = trace.read_bytes().decode("latin-1") if trace.exists() else "nothing"
    return End(returned, text), "\n".join(said)


def alike(end: End) -> End:
    """Return the end without what differs from call to call, and without our own variables."""
    lines = [line for line in end.trace.split("\n") if not line.startswith("PGPOOL_RECOVERY_")]
    text = re.sub(r"^_=.*$|/tmp/tmp\.\w+", "", "\n".join(lines), flags=re.MULTILINE)
    return End(end.returned, text)


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_in_bash(both: Server, name: str) -> None:
    write_bash(both, SCRIPTS[name])
    compare(both)


@pytest.mark.parametrize("name", INTERPRETERS)
def test_script_of_another_kind(both: Server, name: str) -> None:
    first, rest = INTERPRETERS[name]
    both.machine.write_file(both.data_directory / "stage", f"{first}\n{rest}\n", mode=0o700)
    compare(both)


def write_bash(server: Server, text: str) -> None:
    server.machine.write_file(server.data_directory / "stage", f"#!/bin/bash\n{text}\n", mode=0o700)


def compare(server: Server) -> None:
    stock, _ = call(server, "stock.")
    ours, said = call(server, "")
    assert alike(ours) == alike(stock)
    assert ours.returned or "stage" in said or "pgpool_recovery failed" in said


def test_script_of_root_in_a_directory_and_by_a_link(both: Server) -> None:
    """A script may belong to root, be in a subdirectory, or be a link to one that does.

    That is how a package or a read-only volume provides it.
    """
    data = both.data_directory
    both.machine.write_file(data / "scripts/first", "#!/bin/sh\necho $0 >trace\n", mode=0o755)
    both.machine.run(["chown", "-R", "root", str(data / "scripts")], user="root")
    both.machine.run(["ln", "-sfn", "scripts/first", str(data / "linked")])
    for name in ("scripts/first", "linked"):
        stock, ours = call(both, "stock.", name)[0], call(both, "", name)[0]
        assert ours == stock
        assert ours.returned


def test_servers_that_a_script_starts_have_nothing_of_libpq(both: Server) -> None:
    """Scripts of others get no libpq variables; our own stage commands, known by a mark, do."""
    write_script(both, "env >trace")
    assert not re.search(r"^PG(HOST|PORT|DATABASE)=", call(both, "")[0].trace, re.MULTILINE)
    write_script(both, "# Part of pgpool-recovery. Version 1.0. It is called.\nenv >trace")
    trace = call(both, "")[0].trace
    assert f"\nPGPORT={both.port}\n" in f"\n{trace}"


def test_password_in_a_traced_command_is_masked(both: Server) -> None:
    write_script(both, "set -x\nPGPASSWORD=s3cr3t true 'host=a password=s3cr3t'\nexit 3")
    before = len(both.log_text())
    _, said = call(both, "")
    log = both.log_text()[before:]
    assert "PGPASSWORD=********" in said
    assert "PGPASSWORD=********" in log
    assert "s3cr3t" not in said + log


@pytest.mark.parametrize("limit_ms", range(1, 100, 7))
def test_time_limit_before_the_script_runs_shows_no_traceback(both: Server, limit_ms: int) -> None:
    write_script(both, "sleep 5")
    with psycopg.connect(both.conninfo(dbname="postgres"), autocommit=True) as connection:
        connection.execute(f"SET statement_timeout = {limit_ms}".encode())
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            connection.execute(CALL.format("", "stage").encode())
    said = f"{caught.value} {caught.value.diag.context} {caught.value.diag.message_detail}"
    assert "Traceback" not in said
    assert "plpy" not in said
    assert "statement timeout" in said


def test_trap_has_the_time_of_the_setting(both: Server) -> None:
    cleaned = both.machine.path(both.data_directory / "cleaned")
    cleaned.unlink(missing_ok=True)
    trapped = both.machine.path(both.data_directory / "trapped")
    trapped.unlink(missing_ok=True)
    # This takes longer than the 3.5 s that apply without the setting, and ignores SIGTERM.
    clean = 'trap "" TERM; sleep 5; echo >cleaned; exit 1'
    write_script(both, f"trap '{clean}' INT; echo >trapped; sleep 60 & wait")
    with (
        psycopg.connect(both.conninfo(dbname="postgres"), autocommit=True) as connection,
        ThreadPoolExecutor(1) as pool,
    ):
        connection.execute(b"SET pgpool.script_end_time = '20s'")
        call = pool.submit(connection.execute, CALL.format("", "stage").encode())
        until(trapped.exists, within_s=20, what="the script to have set its trap")
        both.execute(f"SELECT pg_cancel_backend({connection.info.backend_pid})")
        with pytest.raises(psycopg.errors.QueryCanceled):
            call.result(timeout=60)
    assert cleaned.exists(), "the script was killed before it had cleaned up"


def test_silent_script_that_runs_long_is_waited_for(both: Server) -> None:
    write_script(both, "sleep 4; echo >trace")
    assert call(both, "")[0].returned
