"""A full copy of a real server, examined by PostgreSQL's own programs before anything starts it."""

import json
from pathlib import Path, PurePath
from typing import Any

import pytest

from tests.harness.postgresql import Server
from tests.harness.product import Product
from tests.server.conftest import on_each_major

PROGRAM = Path(__file__).with_name("copy_program.py")
LIST_PROGRAM = Path(__file__).with_name("list_program.py")
SLOT = "pgpool_node_1"
MARK, OTHER = "an unmistakable value", "an unmistakablf value"

pytestmark = on_each_major


@pytest.fixture(scope="module")
def full(stock_server: Server) -> Server:
    """The server with a tablespace, a table that has a mark, and a slot."""
    space = stock_server.machine.home / "space"
    stock_server.machine.make_directory(space)
    stock_server.execute(f"CREATE TABLESPACE space LOCATION '{space}'")
    stock_server.execute(
        "CREATE TABLE marked TABLESPACE space AS SELECT g, repeat(md5(g::text), 20) AS filler "
        f"FROM generate_series(1, 20000) g; INSERT INTO marked VALUES (0, '{MARK}'); "
        f"SELECT pg_create_physical_replication_slot('{SLOT}', true)"
    )
    return stock_server


def copied(server: Server, product: Product, **wish: Any) -> tuple[PurePath, dict[str, Any]]:
    """Return the directory of a copy, and what failed."""
    machine = server.machine
    root = machine.home / "copied"
    program = machine.home / PROGRAM.name
    machine.write_file(program, PROGRAM.read_text())
    ((oid,),) = server.sql("SELECT oid::text FROM pg_tablespace WHERE spcname = 'space'")
    whole = {
        "root": str(root),
        "conninfo": {"host": str(machine.socket_directory), "port": str(server.port)},
        "bin_directory": str(server.installation.bindir),
        "slot_name": SLOT,
        "tablespaces": [oid],
        "compression": None,
        "checksums": None,
        "verifies_pages": False,
        "changes": None,
        **wish,
    }
    python = product.command_on(machine.system).with_name("python")
    argv = [str(python), str(program), json.dumps(whole)]
    result: dict[str, Any] = json.loads(machine.run(argv, timeout_s=120).stdout)
    return root / "w/new", result


WAYS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "compressed": {"compression": "zstd"},
    "with the slower checksum, and its pages checked": {
        "checksums": "SHA256",
        "verifies_pages": True,
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_pg_verifybackup_finds_nothing(full: Server, product: Product, way: str) -> None:
    directory, result = copied(full, product, **WAYS[way])
    assert result["message"] is None, result
    machine = full.machine
    verify = full.installation.program("pg_verifybackup")
    # What the slot still has is not in pg_wal; what is there must be whole.
    machine.run([verify, "--no-parse-wal", "--exit-on-error", directory])
    wal = machine.run(["find", directory / "pg_wal", "-type", "f", "-printf", "%f %s\n"]).stdout
    segments = [line.split() for line in wal.splitlines() if not line.startswith(".")]
    names = {name for name, _ in segments}
    assert not [name for name in names if name.endswith(".partial")]
    whole = {name for name, size in segments if int(size) == 2**24}
    assert whole, "the segment in which the backup ends is there"
    assert {f"{name}.done" for name in whole} <= names


def test_wrong_byte_on_the_wire_is_found(full: Server, product: Product) -> None:
    directory, result = copied(full, product, changes=[MARK, OTHER])
    path = full.sql("SELECT pg_relation_filepath('marked')")[0][0]
    assert result["message"] == f'"{path}" did not arrive as it was sent'
    assert not full.machine.path(directory / "backup_manifest").exists()


def test_slot_holds_what_the_copy_lacks(full: Server, product: Product) -> None:
    """The copy has whole segments up to somewhere; from there on the slot has all of them."""
    directory, result = copied(full, product)
    assert result["message"] is None, result
    ((kept,),) = full.sql(
        f"SELECT pg_walfile_name(restart_lsn) FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
    )
    received = full.machine.run(["ls", directory / "pg_wal"]).stdout.split()
    assert kept <= max(name for name in received if len(name) == len(kept))


SENT = ("our.conf", "log/today", "pgpool_recovery.toml", "base/notes")
UNSENT = (
    *("base/1/t3_99999", "base/1/t3_99999_fsm.1", "base/1/pg_internal.init.7", ".DS_Store"),
    *("base/pgsql_tmp/pgsql_tmp7.0", "pg_dynshmem/x", "pg_stat_tmp/x", "pg_notify/x"),
    *("postgresql.auto.conf.tmp", "current_logfiles.tmp", "log/pgsql_tmp"),
)
NOT_LISTED = ("backup_label", "tablespace_map", "pg_wal/")
"""What is in a base backup because of the backup."""


def listed(server: Server, product: Product) -> set[str]:
    """Return what the agent of a source lists for a copy of everything."""
    program = server.machine.home / LIST_PROGRAM.name
    server.machine.write_file(program, LIST_PROGRAM.read_text())
    python = product.command_on(server.machine.system).with_name("python")
    ran = server.machine.run([str(python), str(program), str(server.data_directory)])
    return set(json.loads(ran.stdout))


def backed_up(server: Server) -> set[str]:
    """Return what a base backup has, by its manifest."""
    machine, root = server.machine, server.machine.home / "backed_up"
    machine.run(["rm", "-rf", root])
    where = ["-h", str(machine.socket_directory), "-p", str(server.port), "-U", "postgres"]
    argv = [server.installation.program("pg_basebackup"), *where, "-c", "fast", "-X", "none"]
    machine.run([*argv, "-Ft", "-D", root], timeout_s=120)
    manifest = json.loads(machine.path(root / "backup_manifest").read_text())
    paths = {file["Path"] for file in manifest["Files"]}
    return {path for path in paths if not path.startswith(NOT_LISTED)}


def test_source_lists_what_a_base_backup_has(full: Server, product: Product) -> None:
    """A copy that was interrupted is completed from this list, so it is the server's own."""
    machine, data = full.machine, full.data_directory
    full.execute("CREATE UNLOGGED TABLE IF NOT EXISTS fleeting TABLESPACE space AS SELECT 1")
    made = [data / name for name in (*SENT, *UNSENT)]
    machine.run(["mkdir", "-p", *sorted({file.parent for file in made})])
    machine.run(["touch", *made])
    try:
        before, backup, after = listed(full, product), backed_up(full), listed(full, product)
    finally:
        machine.run(["rm", *made])
    assert not backup - (before | after), "a base backup has more"
    assert not (before & after) - backup, "a base backup has less"
    assert before >= set(SENT)
    assert not before & set(UNSENT)
