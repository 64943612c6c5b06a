"""Undoing runs the records of all hosts, the last one first, and keeps what is in use."""

import pytest

from pgpool_recovery.domain.error import Undone, Unreachable
from pgpool_recovery.setup.access import Ran
from pgpool_recovery.setup.statement import on_primary
from pgpool_recovery.setup.undo import (
    InUse,
    UndoRecord,
    in_order,
    kept,
    read_in_use,
    read_records,
    undo,
)
from tests.unit.setup.stock import Recorder, node

NOTHING = InUse(replication=False, python=False)
DROP_SQL = on_primary("template1", "DROP EXTENSION IF EXISTS pgpool_recovery")
AGAIN_SQL = on_primary(
    "template1",
    'CREATE EXTENSION IF NOT EXISTS pgpool_recovery WITH SCHEMA "a""b" VERSION \'1.4\'',
)
ROLE_SQL = on_primary("postgres", "DROP ROLE IF EXISTS pgpool_recovery_replication")
DROP = UndoRecord("server1", "50-extension-template1.primary.undo", (DROP_SQL,))
AGAIN = UndoRecord("server1", "05-extension-template1.primary.undo", (AGAIN_SQL,))
PACKAGES = UndoRecord("server1", "10-packages.undo", ("packages_removed",))
KNOWN = UndoRecord("server2", "31-known-host-1-0.undo", ("remove_lines a b c",))
ROLE = UndoRecord("server1", "40-replication-role.primary.undo", (ROLE_SQL,))
ALL = [AGAIN, PACKAGES, KNOWN, DROP, ROLE]


def shells() -> dict[str, Recorder]:
    return {"server1": Recorder(), "server2": Recorder()}


def run(there: dict[str, Recorder], primary: int, in_use: InUse = NOTHING) -> list[str]:
    host = f"server{primary + 1}"
    return [one.file for one, _ in undo(ALL, there, node(primary), host, in_use, lambda _one: None)]


def test_last_change_is_undone_first_and_the_stock_extension_comes_back_last() -> None:
    assert in_order(ALL) == [DROP, ROLE, KNOWN, PACKAGES, AGAIN]
    assert run(shells(), 0) == [one.file for one in in_order(ALL)]


def test_databases_are_changed_where_the_primary_is_now() -> None:
    """A failover since then has moved it."""
    there = shells()
    run(there, 1)
    assert any(DROP_SQL in text for text in there["server2"].scripts)
    assert "PSQL=/usr/lib/postgresql/15/bin/psql\n" in there["server2"].scripts[0]
    removed = f"rm -rf /var/lib/pgpool-recovery-setup/{DROP.file} "
    assert any(removed in text for text in there["server1"].scripts)


def test_without_a_primary_the_databases_wait() -> None:
    with pytest.raises(Unreachable, match="must be undone on the primary"):
        list(undo([DROP], shells(), None, None, NOTHING, lambda _one: None))


def test_failure_keeps_the_record() -> None:
    there = {"server1": Recorder(lambda _script: Ran(1, "view depends on it\n"))}
    with pytest.raises(Undone) as caught:
        list(undo([DROP], there, node(0), "server1", NOTHING, lambda _one: None))
    assert "view depends on it" in str(caught.value.detail)
    assert len(there["server1"].scripts) == 1


def test_login_that_a_standby_streams_with_is_kept() -> None:
    in_use = InUse(replication=True, python=False)
    assert kept(ROLE, in_use) is not None
    assert kept(DROP, in_use) is None
    assert ROLE.file not in run(shells(), 0, in_use)


def test_language_that_databases_have_is_kept() -> None:
    there = shells()
    run(there, 0, InUse(replication=False, python=True))
    (text,) = (
        text
        for text in there["server1"].scripts
        if text.endswith("packages_removed\n}\nmain </dev/null\n")
    )
    assert "\nKEEP_PYTHON=yes\n" in text


def test_primary_says_what_is_in_use() -> None:
    assert read_in_use(node(0), Recorder(lambda _script: Ran(0, "1\n0\n0\n"))) == InUse(
        replication=True, python=False
    )
    assert read_in_use(node(0), Recorder(lambda _script: Ran(0, "0\n0\n1\n"))) == InUse(
        replication=False, python=True
    )
    assert read_in_use(None, None) == InUse(replication=True, python=True)
    with pytest.raises(Unreachable):
        read_in_use(node(0), Recorder(lambda _script: Ran(0, "ERROR\n")))


def test_records_are_read_with_their_commands() -> None:
    output = "record 10-packages.undo\n packages_removed\nrecord 31-x.undo\n a\n b\nadded libx\n"
    assert read_records("server1", Recorder(lambda _script: Ran(0, output))) == [
        UndoRecord("server1", PACKAGES.file, PACKAGES.commands, ("libx",)),
        UndoRecord("server1", "31-x.undo", ("a", "b")),
    ]


def test_warning_of_a_session_is_no_answer() -> None:
    said = 'WARNING:  database "postgres" has a collation version mismatch\n0\n1\n'
    found = read_in_use(node(0), Recorder(lambda _script: Ran(0, said)))
    assert found == InUse(replication=False, python=True)


@pytest.mark.parametrize(
    "planted",
    [
        "id",
        "printf '%s\\n' 'DROP TABLE x;' | sql postgres",
        "printf '%s\\n' 'DROP EXTENSION IF EXISTS pgpool_recovery;' | sql 'host=x'",
        "printf '%s\\n' 'DROP EXTENSION IF EXISTS pgpool_recovery;' | sql x; id",
        "printf '%s",
        "sql postgres <<SQL",
    ],
)
def test_record_of_one_host_runs_nothing_else_on_another(planted: str) -> None:
    there = shells()
    one = UndoRecord("server1", "50-extension-template1.primary.undo", (planted,))
    with pytest.raises(Undone, match="not as setup wrote it"):
        list(undo([one], there, node(1), "server2", NOTHING, lambda _one: None))
    assert there["server2"].scripts == []


def test_record_of_one_host_is_quoted_anew_for_another() -> None:
    sql = "CREATE EXTENSION IF NOT EXISTS pgpool_recovery WITH SCHEMA \"$(id)\" VERSION '1.4'"
    doubled = sql.replace('"', '\\"')
    planted = f"printf '%s\\n' \"{doubled};\" | sql postgres"
    there = shells()
    heredoc = ("sql template1 <<'SQL'", f"{sql};", "SQL")
    one = UndoRecord("server1", "05-extension.primary.undo", (planted, *heredoc))
    list(undo([one], there, node(1), "server2", NOTHING, lambda _one: None))
    (text,) = there["server2"].scripts
    assert f"{on_primary('postgres', sql)}\n{on_primary('template1', sql)}\n" in text
