"""A node is restored from the newest backup, replays WAL from the archive, and then streams."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePath

import pytest

from pgpool_recovery.domain.error import Cancelled, Refused, Undone
from pgpool_recovery.facts.backup import NoBackup
from pgpool_recovery.pgbackrest.command import archive_get
from pgpool_recovery.plan.stray import SERVER_ENDS_ABOVE
from tests.harness.product import Product
from tests.harness.system import system_with
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.majors import in_whole_matrix, needs_postgresql
from tests.pgbackrest.site import STANZA, BackedUp, backed_up
from tests.pgbackrest.target import Target

TABLESPACE = Path("/var/lib/postgresql/ts1")
LINKED = Path("/var/lib/postgresql/linked.conf")
WAL_DIRECTORY = PurePath("/var/lib/postgresql/wal")
CONTENTS = """
    CREATE TABLE big AS SELECT n, (SELECT string_agg(md5(n || ' ' || m), '')
        FROM generate_series(1, 10) m) filling FROM generate_series(1, 60000) n;
    CREATE TABLE elsewhere TABLESPACE ts1 AS SELECT n FROM generate_series(1, 1000) n;
    VACUUM (FREEZE)"""
REPOSITORY = PurePath("/var/lib/pgbackrest/archive")
SILENT_S = 3.0
SLOW_MBIT = 8
BEGUN = 10_000
"""Bytes of a directory in which pgbackrest has begun to write files."""

_MAJORS = [
    *(pytest.param(major, marks=needs_postgresql(major)) for major in (15, 18)),
    *(pytest.param(major, marks=in_whole_matrix(major)) for major in (17, 19)),
]
on_every_version = pytest.mark.parametrize("site", _MAJORS, indirect=True, scope="module")
on_the_oldest = pytest.mark.parametrize("site", _MAJORS[:1], indirect=True, scope="module")


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest, workspace: Workspace, product: Product, namespaces: None
) -> Iterator[BackedUp]:
    major = request.param
    if not (system_with(major).root / "usr/bin/pgbackrest").exists():
        pytest.skip(f"there is no pgbackrest where PostgreSQL {major} is: ci/install-packages")
    with backed_up(workspace, major, has_own_host=major == 15) as made:
        made.standby.stop()
        made.primary.create_tablespace("ts1", TABLESPACE)
        made.primary.execute(CONTENTS)
        made.standby.make_standby_of(made.primary)  # Their files are then equal, byte for byte.
        made.standby.start()
        made.primary.machine.write_file(LINKED, "# a file of the primary\n")
        link = made.primary.data_directory / LINKED.name
        made.primary.machine.run(["ln", "-s", LINKED, link])
        made.back_up()
        yield made


@pytest.fixture
def target(site: BackedUp, product: Product) -> Target:
    return Target(site, product, [])


@on_every_version
def test_stale_standby_whose_wal_is_gone(site: BackedUp, target: Target) -> None:
    """Equal files stay, and the WAL that the primary no longer has comes from the archive."""
    site.standby.stop()
    site.primary.execute("CREATE TABLE later AS SELECT 1 n; INSERT INTO elsewhere SELECT 0")
    archived = site.forget_wal()
    backup = target.backup()
    before = site.target.received_bytes()
    target.put_away()
    target.restore(target.restoration(backup))
    received = site.target.received_bytes() - before
    assert received < backup.repository.size_bytes / 20, target.told
    target.start_as_standby(target.restoration(backup))
    target.assert_equal()
    assert f'restored log file "{archived}" from archive' in site.standby.log_text()
    assert not site.target.path(LINKED).exists(), "it wrote to the target of a link of the primary"
    assert site.standby.sql("SHOW archive_mode") == [("on",)]
    assert site.standby.sql("SHOW recovery_target") == [("",)]
    told = re.search(r"(\d+) of (\d+) files already matched the backup$", target.told[-1])
    assert told is not None, target.told
    assert 900 < int(told[1]) < int(told[2]) < 1200


@on_the_oldest
def test_empty_target(site: BackedUp, target: Target) -> None:
    site.standby.lose()
    site.target.run(["rm", "-r", TABLESPACE])
    site.primary.execute("INSERT INTO elsewhere SELECT 1")
    target.bring_back(target.restoration(target.backup()))


@on_the_oldest
def test_damaged_files_and_a_wal_directory_elsewhere(site: BackedUp, target: Target) -> None:
    """Whatever is wrong in the directory does not matter, not even a server that was killed."""
    ((damaged, gone),) = site.standby.sql(
        "SELECT pg_relation_filepath('big'), pg_relation_filepath('elsewhere')"
    )
    site.standby.kill()
    data = site.target.path(target.data_directory)
    with (data / damaged).open("r+b") as file:
        file.seek(100_000)
        file.write(b"damage")
    site.target.path(TABLESPACE / PurePath(*PurePath(gone).parts[2:])).unlink()
    site.target.run(["touch", target.data_directory / "base" / "1" / "99999"])
    assert (data / "postmaster.pid").exists()
    site.target.make_directory(WAL_DIRECTORY / "lost+found", owner="root", mode=0o700)
    site.target.run(["chown", "postgres:", WAL_DIRECTORY], user="root")
    site.target.run(["mv", target.data_directory / "pg_wal", WAL_DIRECTORY / "old"])
    site.target.run(["ln", "-s", WAL_DIRECTORY, target.data_directory / "pg_wal"])
    target.bring_back(target.restoration(target.backup(), wal_directory=str(WAL_DIRECTORY)))
    assert not (data / "base" / "1" / "99999").exists()
    assert (data / "pg_wal").readlink() == WAL_DIRECTORY
    names = {entry.name for entry in site.target.path(WAL_DIRECTORY).iterdir()}
    assert {"lost+found", "archive_status"} < names
    assert "old" not in names


@on_the_oldest
def test_cancelled_then_killed_then_done(site: BackedUp, target: Target) -> None:
    """There is never anything that could be started, and at the end no other program is working."""
    site.standby.lose()
    restoration = target.restoration(target.backup())
    target.put_away()
    site.repository.shape(SLOW_MBIT)
    cancelled = target.start_restore(restoration)
    until(lambda: target.restored_bytes() > BEGUN, within_s=30, what="the restore to get on")
    cancelled.terminate()
    assert cancelled.wait(5) is not None
    assert isinstance(target.answer(), Cancelled)
    assert target.programs() == []
    killed = target.start_restore(restoration)
    until(target.programs, within_s=30, what="the restore to begin")
    killed.kill()
    assert killed.wait(5) is not None
    assert target.programs(), "no program was still working, so the rest proves nothing"
    assert not target.is_startable()
    site.repository.shape(None)
    target.bring_back(restoration)


@on_the_oldest
def test_repository_that_falls_silent(site: BackedUp, target: Target) -> None:
    site.standby.lose()
    restoration = target.restoration(target.backup())
    target.put_away()
    site.repository.shape(SLOW_MBIT)
    driver = target.start_restore(restoration, stall_s=6)
    until(lambda: target.restored_bytes() > BEGUN, within_s=30, what="the restore to get on")
    site.repository.cut(site.target)
    assert driver.wait(10) is not None
    failure = target.answer()
    assert isinstance(failure, Undone)
    assert failure.message == "pgbackrest could not restore the backup"
    assert failure.detail
    assert target.programs() == []
    assert not target.is_startable()
    found = target.observe(timeout_s=2)
    assert isinstance(found, NoBackup)
    assert found.is_unreachable
    assert "timeout" in (found.detail or "")
    (rejection,) = target.rejections(found)
    assert rejection.message == (
        "node 1 cannot be restored from pgBackRest: stanza main cannot be reached"
    )
    site.repository.mend(site.target)
    site.repository.shape(None)
    target.bring_back(restoration)


@on_every_version
def test_history_of_a_rival_in_the_archive(site: BackedUp, target: Target) -> None:
    """`pgbackrest info` does not show that file, but the restored server would read it."""
    data, file = site.primary.data_directory, "00000002.history"
    site.primary.machine.write_file(data / "pg_wal" / file, "1\t0/1000060\tno reason\n")
    push = f"cd {data} && pgbackrest --stanza={STANZA} archive-push pg_wal/{file}; rm pg_wal/{file}"
    site.primary.machine.run(["sh", "-c", push])
    try:
        (rejection,) = target.rejections(target.observe())
    finally:
        site.repository.run(["find", REPOSITORY, "-name", file, "-delete"])
    assert rejection.message == f"the archive of stanza main has {file}, which is not the primary's"
    assert '(left at 0/1000060) to timeline 2 ("no reason")' in (rejection.detail or "")
    assert target.rejections(target.observe()) == []


@on_the_oldest
def test_restore_command_ends_when_the_repository_is_silent(site: BackedUp, target: Target) -> None:
    """A server that is promoted runs it five times in a row before it accepts writes."""
    data = str(target.data_directory)
    command = archive_get(replace(target.backup(), answer_s=SILENT_S), data)
    asked = command.replace("%f", "00000002.history").replace("%p", "pg_wal/RECOVERYHISTORY")
    site.repository.cut(site.target)
    began = time.monotonic()
    try:
        done = site.target.run(["sh", "-c", f"cd {data} && {asked}"], check=False, timeout_s=60)
    finally:
        site.repository.mend(site.target)
    took_s = time.monotonic() - began
    print(f"{took_s:.1f} s, exit status {done.returncode}")
    assert SILENT_S - 1 < took_s < SILENT_S + 5
    assert 0 < done.returncode <= SERVER_ENDS_ABOVE


@on_the_oldest
def test_what_must_not_be_restored_into(site: BackedUp, target: Target) -> None:
    restoration = target.restoration(target.backup())
    target.put_away()  # The server keeps running there.
    with pytest.raises(Refused, match="a server is running in"):
        target.restore(restoration)
    target.put_back()
    assert target.streams()
    site.target.make_directory(target.new / "strange")
    with pytest.raises(Refused, match="is neither empty nor a data directory"):
        target.restore(restoration)
    site.target.run(["rm", "-r", target.new])


@on_the_oldest
def test_archive_that_lacks_wal(site: BackedUp, target: Target) -> None:
    """The primary may have what the archive lacks; once it no longer does, a backup is needed."""
    site.standby.stop()
    site.primary.set(archive_command="/bin/true")
    site.archive_wal()
    target.bring_back(target.restoration(target.backup()))
    site.standby.stop()
    site.archive_wal()
    site.forget_wal()
    (rejection,) = target.rejections(target.observe())
    assert rejection.message.startswith("WAL is missing between backup")
    site.primary.set(archive_command="pgbackrest --stanza=main archive-push %p")
    site.back_up("incr")
    assert target.rejections(target.observe()) == []


@on_the_oldest
def test_no_pgbackrest(site: BackedUp, target: Target) -> None:
    """This is the last test, since the program is removed."""
    site.target.run(["rm", "/usr/bin/pgbackrest"], user="root")
    found = target.observe()
    assert isinstance(found, NoBackup)
    assert found.problem == "pgbackrest is not installed"
