"""pgpool_switch_xlog() waits for the segment that it ended, however the archive stores it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from pgpool_recovery.domain.wal import parse_lsn
from tests.harness.cluster import ClusterPlan
from tests.harness.cluster_site import Site, build_servers
from tests.harness.installation import Installation
from tests.harness.local_host import LocalHost
from tests.harness.postgresql import Server
from tests.harness.product import Product, create_extension, install_extension
from tests.harness.until import until
from tests.harness.workspace import Workspace

SEGMENT_MB = 4
ARCHIVES = {
    "": "cp %p {archive}/%f",
    ".gz": "gzip -c %p > {archive}/%f.gz",
    ".xz": "xz -0 -c %p > {archive}/%f.xz",
    ".bz2": "gzip -c %p > {archive}/%f.bz2",
    ".zst": "gzip -c %p > {archive}/%f.zst",
    ".lz4": "gzip -c %p > {archive}/%f.lz4",
}


@pytest.fixture(scope="module")
def archiving(
    workspace: Workspace, machine: LocalHost, installation: Installation, product: Product
) -> Iterator[Server]:
    """A server that archives, with a segment size other than 16 MB."""
    plan = ClusterPlan(
        standbys=0,
        settings={"archive_mode": "on", "archive_command": "true", "max_wal_size": "64MB"},
        initdb_options=(f"--wal-segsize={SEGMENT_MB}",),
    )
    (server,) = build_servers(workspace, plan, Site([machine], machine, machine, installation))
    install_extension(machine, installation, product)
    create_extension(server)
    yield server
    server.kill()


@pytest.fixture
def archive(archiving: Server, tmp_path: Path) -> Path:
    """A directory that the server may write to."""
    directory = archiving.data_directory.with_name(f"archive {tmp_path.name}")
    archiving.machine.make_directory(directory)
    return directory


def archive_with(server: Server, command: str) -> None:
    server.set(archive_command=command)
    until(
        lambda: server.sql("SHOW archive_command") == [(command,)], within_s=5, what="the command"
    )


def switch(server: Server, archive: Path) -> str:
    ((path,),) = server.sql(f"SELECT pgpool_switch_xlog('{archive}')")
    return path


def current_segment(server: Server) -> str:
    """Write some WAL, and return the segment that contains it."""
    ((segment,),) = server.sql("SELECT pg_walfile_name(pg_create_restore_point('here'))")
    return segment


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_returns_the_path_of_the_segment(archiving: Server, archive: Path, suffix: str) -> None:
    archive_with(archiving, ARCHIVES[suffix].format(archive=f'"{archive}"'))
    segment = current_segment(archiving)
    path = switch(archiving, archive)
    assert path == f"{archive}/{segment}{suffix}"
    assert Path(path).stat().st_size > 0
    if suffix == "":
        assert Path(path).stat().st_size == SEGMENT_MB * 2**20


def test_again_and_again_without_anything_written(archiving: Server, archive: Path) -> None:
    archive_with(archiving, f'cp %p "{archive}/%f"')
    paths = [switch(archiving, archive) for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(Path(path).exists() for path in paths)


def test_cleaned_archive_does_not_make_it_wait_forever(archiving: Server, archive: Path) -> None:
    archive_with(archiving, f'cp %p "{archive}/%f"')
    Path(switch(archiving, archive)).unlink()
    assert Path(switch(archiving, archive)).exists()


def test_gives_up_and_says_what_the_archiver_says(archiving: Server, archive: Path) -> None:
    archive_with(archiving, "echo no space left >&2; false")
    began = time.monotonic()
    with psycopg.connect(archiving.conninfo(dbname="postgres"), autocommit=True) as connection:
        connection.execute("SET pgpool.switch_xlog_timeout = '2s'")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as caught:
            connection.execute("SELECT pgpool_switch_xlog(%s)", [str(archive)])
    said = caught.value.diag
    assert 1.5 < time.monotonic() - began < 10
    assert f'was not archived in "{archive}" within 2 s' in (said.message_primary or "")
    assert "archive_mode is on" in (said.message_detail or "")
    assert "failures" in (said.message_detail or "")


def test_waits_for_half_a_file_to_be_whole(archiving: Server, archive: Path) -> None:
    """A file with the right name is not accepted before it has the size of a segment."""
    archive_with(archiving, "false")
    with psycopg.connect(archiving.conninfo(dbname="postgres"), autocommit=True) as connection:
        segment = current_segment(archiving)
        (archive / segment).write_bytes(b"x" * 2**20)
        connection.execute("SET pgpool.switch_xlog_timeout = '20s'")
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(
                connection.execute, "SELECT pgpool_switch_xlog(%s)", [str(archive)]
            )
            time.sleep(1)
            assert not future.done()
            (archive / segment).write_bytes(b"x" * SEGMENT_MB * 2**20)
            row = future.result(timeout=10).fetchone()
    assert row == (f"{archive}/{segment}",)


def test_can_be_cancelled(archiving: Server, archive: Path) -> None:
    archive_with(archiving, "false")
    with psycopg.connect(archiving.conninfo(dbname="postgres"), autocommit=True) as connection:
        connection.execute("SET statement_timeout = '500ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pgpool_switch_xlog(%s)", [str(archive)])


def test_needs_the_privilege_for_pg_switch_wal(archiving: Server, archive: Path) -> None:
    archive_with(archiving, f'cp %p "{archive}/%f"')
    archiving.execute(
        "CREATE ROLE archivist LOGIN; GRANT EXECUTE ON FUNCTION pgpool_switch_xlog TO archivist"
    )
    query = "SELECT pgpool_switch_xlog(%s)"
    with psycopg.connect(
        archiving.conninfo("archivist", dbname="postgres"), autocommit=True
    ) as connection:
        before = parse_lsn(archiving.wal_position())
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="pg_switch_wal") as caught:
            connection.execute(query, [str(archive)])
        assert caught.value.diag.message_hint == (
            "GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO archivist."
        )
        assert parse_lsn(archiving.wal_position()) == before
        archiving.execute("GRANT EXECUTE ON FUNCTION pg_switch_wal TO archivist")
        row = connection.execute(query, [str(archive)]).fetchone()
        assert row is not None
        assert Path(row[0]).exists()


def test_promise_13_session_of_a_superuser_lends_no_privilege(
    archiving: Server, archive: Path
) -> None:
    """A materialized view that a superuser refreshes cannot switch WAL.

    Its query runs as the view's owner, but in the superuser's session.
    """
    archiving.execute(
        "CREATE ROLE owner_of_view LOGIN; CREATE SCHEMA AUTHORIZATION owner_of_view;"
        " GRANT EXECUTE ON FUNCTION pgpool_switch_xlog TO owner_of_view"
    )
    query = f"SELECT pgpool_switch_xlog('{archive}') AS path"
    with psycopg.connect(archiving.conninfo("owner_of_view", dbname="postgres")) as connection:
        connection.execute(f"CREATE MATERIALIZED VIEW owner_of_view.v AS {query} WITH NO DATA")
    try:
        with (
            psycopg.connect(archiving.conninfo(dbname="postgres")) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="security-restricted"),
        ):
            connection.execute("REFRESH MATERIALIZED VIEW owner_of_view.v")
    finally:
        archiving.execute("DROP OWNED BY owner_of_view CASCADE; DROP ROLE owner_of_view")


def test_promise_13_function_of_a_role_lends_no_privilege(archiving: Server, archive: Path) -> None:
    """A superuser's call inside a function of another role is refused.

    The function has its owner's privileges, in the superuser's session. A DO block is refused as
    well, since it cannot be distinguished from such a function.
    """
    archiving.execute(
        "CREATE ROLE owner_of_function LOGIN; CREATE SCHEMA AUTHORIZATION owner_of_function;"
        " GRANT EXECUTE ON FUNCTION pgpool_switch_xlog TO owner_of_function"
    )
    query = f"SELECT pgpool_switch_xlog('{archive}')"
    with psycopg.connect(archiving.conninfo("owner_of_function", dbname="postgres")) as connection:
        connection.execute(
            "CREATE FUNCTION owner_of_function.f() RETURNS text LANGUAGE sql SECURITY DEFINER"
            f" AS $$ {query} $$"
        )
    before = archiving.wal_position()
    try:
        with psycopg.connect(archiving.conninfo(dbname="postgres"), autocommit=True) as connection:
            for call in (
                "SELECT owner_of_function.f()",
                f"DO $$BEGIN PERFORM pgpool_switch_xlog('{archive}'); END$$",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
                    connection.execute(call)
                assert "Call it directly" in (caught.value.diag.message_hint or "")
        segment = "SELECT pg_walfile_name(%s) = pg_walfile_name(pg_current_wal_lsn())"
        with psycopg.connect(archiving.conninfo(dbname="postgres")) as connection:
            assert connection.execute(segment, [str(before)]).fetchone() == (True,)
    finally:
        archiving.execute("DROP OWNED BY owner_of_function CASCADE; DROP ROLE owner_of_function")


@pytest.fixture
def paths(archiving: Server, archive: Path) -> dict[str, Path]:
    """Paths that cannot be an archive directory, keyed by what is wrong with them."""
    closed = archive / "closed"
    closed.mkdir(mode=0o700)
    file = archive / "file"
    file.touch()
    return {
        "absent": archive / "absent",
        "closed": closed,
        "below a closed one": closed / "x",
        "file": file,
        "below a file": file / "x",
        "too long": archive / ("x" * 300),
    }


def refusal(connection: psycopg.Connection, path: Path) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute("SELECT pgpool_switch_xlog(%s)", [str(path)])
    return caught.value


def test_only_roles_that_may_read_files_see_what_is_wrong_with_a_path(
    archiving: Server, paths: dict[str, Path]
) -> None:
    archiving.execute(
        "CREATE ROLE switcher LOGIN; GRANT EXECUTE ON FUNCTION pgpool_switch_xlog, pg_switch_wal"
        " TO switcher"
    )
    segment = "SELECT pg_walfile_name(pg_current_wal_insert_lsn())"
    before = archiving.sql(segment)
    with psycopg.connect(
        archiving.conninfo("switcher", dbname="postgres"), autocommit=True
    ) as connection:
        for path in paths.values():
            told = refusal(connection, path)
            assert told.sqlstate == "22023", told
            assert told.diag.message_primary == f'cannot wait for WAL in "{path}"'
            assert told.diag.message_detail == "It is not a directory that this server can access."
        archiving.execute("GRANT pg_read_server_files TO switcher")
        reasons = {name: str(refusal(connection, path)) for name, path in paths.items()}
    archiving.execute("REVOKE pg_read_server_files FROM switcher")
    assert archiving.sql(segment) == before, "WAL was switched"
    assert "No such file or directory" in reasons["absent"]
    assert "Permission denied" in reasons["closed"]
    assert "Permission denied" in reasons["below a closed one"]
    assert "Not a directory" in reasons["file"]
    assert "Not a directory" in reasons["below a file"]
    assert "File name too long" in reasons["too long"]
