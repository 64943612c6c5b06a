"""Record what pgbackrest info prints in many situations, for the unit tests.

Usage, as root: python -m tests.pgbackrest.record_info 15 17 18. It writes
tests/unit/pgbackrest/outputs.
"""

import signal
import sys
from pathlib import Path

from pgpool_recovery.pgbackrest.command import info_words
from tests.harness.command import Completed
from tests.harness.until import until
from tests.harness.workspace import Workspace
from tests.pgbackrest.site import REPOSITORY_HOST, STANZA, BackedUp, backed_up, configure

_OUTPUTS = Path(__file__).parents[1] / "unit" / "pgbackrest" / "outputs"
_TABLESPACE = Path("/var/lib/postgresql/ts1")
_LEFT_PATH = "/var/lib/pgbackrest-left"


def record(workspace: Workspace, major: int) -> None:
    with backed_up(workspace, major, initdb_options=("--data-checksums",)) as site:
        version = site.repository.run(["pgbackrest", "version"]).stdout.split()[-1]
        recorder = _Recorder(site, _OUTPUTS / version)
        recorder.write("no_backup")
        recorder.write("no_stanza", stanza="other")
        site.primary.create_tablespace("ts1", _TABLESPACE, also_on=[site.standby])
        site.primary.execute("CREATE TABLE t TABLESPACE ts1 AS SELECT generate_series(1, 100000) n")
        first = site.back_up()
        recorder.write("one_backup")
        recorder.write("tablespaces", of=(1, first))
        site.archive_wal()
        site.back_up("incr")
        site.archive_wal()
        recorder.write("two_backups")
        recorder.write("expired_backup", of=(1, "20200101-000000F"))
        _damage_a_page(site)
        site.back_up()
        recorder.write("page_checksum_error")
        _restore_running(site, recorder)
        site.standby.promote()
        site.standby.execute("SELECT pg_switch_wal()")
        until(
            lambda: site.info()["archive"][0]["max"].startswith("00000002"),
            within_s=30,
            what="WAL of another timeline in the archive",
        )
        recorder.write("other_timeline")
        _two_repositories(site, recorder)


class _Recorder:
    def __init__(self, site: BackedUp, directory: Path) -> None:
        self._site = site
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, *, stanza: str = STANZA, of: tuple[int, str] | None = None) -> None:
        said = self.ask(stanza, of)
        (self._directory / f"{name}.txt").write_text(said.stderr + said.stdout.rstrip() + "\n")

    def ask(self, stanza: str, of: tuple[int, str] | None) -> Completed:
        words = info_words("pgbackrest", stanza, protocol_timeout_s=10, of=of)
        return self._site.target.run(words)


def _damage_a_page(site: BackedUp) -> None:
    primary = site.primary
    primary.execute("CREATE TABLE damaged AS SELECT generate_series(1, 1000) n; CHECKPOINT")
    ((path,),) = primary.sql("SELECT pg_relation_filepath('damaged')")
    file = primary.machine.path(primary.data_directory / path)
    with file.open("r+b") as opened:
        opened.seek(8000)
        opened.write(b"damage")


def _restore_running(site: BackedUp, recorder: _Recorder) -> None:
    """Stop a restore after it has begun; only versions that take a lock report it."""
    argv = ["pgbackrest", f"--stanza={STANZA}", "--pg1-path=/var/lib/postgresql/held"]
    argv += ["--tablespace-map-all=/var/lib/postgresql/held-tablespaces", "restore"]
    restore = site.target.spawn(argv, log="/tmp/restore.log")
    held = site.target.path("/var/lib/postgresql/held/base")
    until(held.exists, within_s=30, what="the restore to begin", every_s=0.001)
    restore.signal(signal.SIGSTOP)
    recorder.write("restore_running")
    restore.signal(signal.SIGCONT)
    restore.wait(60)


def _two_repositories(site: BackedUp, recorder: _Recorder) -> None:
    """Record two repositories: the first is unreachable, the second is on the target's host."""
    site.target.make_directory(_LEFT_PATH)
    copy = f"ssh {REPOSITORY_HOST} tar -c -C /var/lib/pgbackrest . | tar -x -C {_LEFT_PATH}"
    site.target.run(["sh", "-c", copy])
    there = {"repo1-host": REPOSITORY_HOST, "repo1-host-user": "postgres"}
    pg1_path = {"pg1-path": str(site.standby.data_directory)}
    configure(site.target, there | {"repo2-path": _LEFT_PATH}, pg1_path)
    recorder.write("two_repositories")
    site.repository.sshd.stop()
    recorder.write("first_repository_unreachable")
    configure(site.target, there, pg1_path)
    recorder.write("unreachable")
    site.repository.sshd.start()
    site.repository.cut()
    recorder.write("silent")


if __name__ == "__main__":
    with Workspace() as made:
        for word in sys.argv[1:]:
            record(made, int(word))
