"""Call the agent's functions on the target's host in the order in which a recovery calls them."""

import json
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pgpool_recovery.domain.error import RecoveryError, error_of_record
from pgpool_recovery.domain.wal import History, TimelineId
from pgpool_recovery.facts.backup import Backup, NoBackup, Restoration
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.restore import reject_restore
from pgpool_recovery.talk.wire import as_result, result_as
from tests.harness.contents import compare_contents
from tests.harness.keeper import Child
from tests.harness.product import Product
from tests.harness.template import REPLICATION_USER
from tests.harness.until import until
from tests.pgbackrest.site import STANZA, BackedUp

_DRIVER = PurePath(__file__).with_name("driver.py")
_PLACE = PurePath("/var/lib/postgresql/driver")
LOG = PurePath("/var/lib/postgresql/driver.log")


@dataclass(frozen=True)
class Target:
    """The node that is restored; `told` collects the messages of a restore."""

    site: BackedUp
    product: Product
    told: list[str]

    @property
    def data_directory(self) -> PurePath:
        return self.site.standby.data_directory

    @property
    def new(self) -> PurePath:
        """The path of the data directory while it is being restored."""
        return self.data_directory.with_name(f"{self.data_directory.name}.pgpool_recovery") / "new"

    def observe(self, *, timeout_s: float = 20) -> Backup | NoBackup:
        answer = self._call("observe", {"stanza": STANZA, "timeout_s": timeout_s})
        kind: type[Any] = Backup if "repository" in answer else NoBackup
        return result_as(answer, kind)  # type: ignore[no-any-return]

    def backup(self) -> Backup:
        """Return the backup that the target sees; assert that it may be restored."""
        found = self.observe()
        assert isinstance(found, Backup), found
        assert self.rejections(found) == []
        return found

    def rejections(self, found: Backup | NoBackup) -> list[Rejection]:
        """Return the planner's rejections, with the primary's own facts."""
        primary = self.site.primary
        facts = """
            SELECT system_identifier, timeline_id, current_setting('server_version_num')::int,
                   pg_size_bytes(current_setting('wal_segment_size')),
                   (SELECT min(name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$')
              FROM pg_control_system(), pg_control_checkpoint()"""
        ((system_identifier, timeline, version, segment_bytes, oldest_wal),) = primary.sql(facts)
        spaces = primary.sql("SELECT oid, pg_tablespace_location(oid) FROM pg_tablespace")
        return list(
            reject_restore(
                "node 1",
                found,
                system_identifier=system_identifier,
                major=int(version) // 10000,
                history=History(TimelineId(int(timeline))),
                oldest_wal=oldest_wal,
                segment_bytes=int(segment_bytes),
                tablespaces={int(oid): location for oid, location in spaces if location},
            )
        )

    def restoration(self, backup: Backup, *, wal_directory: str | None = None) -> Restoration:
        return Restoration(
            backup=backup,
            directory=str(self.new),
            data_directory=str(self.data_directory),
            wal_directory=wal_directory,
            locations={space.oid: space.location for space in backup.tablespaces},
        )

    def put_away(self) -> None:
        """Rename the data directory, if there is one."""
        machine = self.site.target
        machine.make_directory(self.new.parent, mode=0o700)
        if machine.path(self.data_directory).exists():
            machine.run(["mv", "-T", self.data_directory, self.new])

    def put_back(self) -> None:
        self.site.target.run(["mv", "-T", self.new, self.data_directory])

    def restore(self, restoration: Restoration, *, stall_s: float = 60) -> None:
        """Restore the node; raise what the function raised."""
        self._call("restore", self._values(restoration, stall_s))

    def start_restore(self, restoration: Restoration, *, stall_s: float = 60) -> Child:
        """Begin a restore, and return the driver's process."""
        values = self._values(restoration, stall_s)
        self.site.target.path(LOG).unlink(missing_ok=True)
        return self.site.target.spawn(self._argv("restore", values), log=LOG)

    def answer(self) -> RecoveryError | None:
        """Return the error of a restore that was begun."""
        answer = json.loads(self.site.target.path(LOG).read_text().splitlines()[-1])
        return error_of_record(answer["failure"]) if "failure" in answer else None

    def programs(self) -> list[str]:
        """Return the programs that are working on the target's new directory."""
        argvs = (" ".join(one.argv) for one in self.site.target.processes())
        return [argv for argv in argvs if f"--pg1-path={self.new}" in argv]

    def is_startable(self) -> bool:
        return self.site.target.path(self.new / "global" / "pg_control").exists()

    def start_as_standby(self, restoration: Restoration) -> None:
        """Give the node its own files back, make it a standby, and start it in its place."""
        site, slot = self.site, self.site.standby.slot
        settings = {
            "primary_conninfo": site.primary.conninfo(REPLICATION_USER, application_name="node1"),
            "primary_slot_name": slot,
        }
        configured = {"restoration": as_result(restoration), "settings": settings}
        self._call("configure", configured)
        self.put_back()
        site.standby.configure()
        site.primary.drop_slot(slot)
        site.primary.execute(f"SELECT pg_create_physical_replication_slot('{slot}', true)")
        site.target.path(site.standby.log_file).unlink(missing_ok=True)
        site.standby.start()
        until(self.streams, within_s=30, what="node 1 to stream")

    def bring_back(self, restoration: Restoration) -> None:
        """Restore and start the node, and assert that its contents equal the primary's."""
        self.put_away()
        self.restore(restoration)
        self.start_as_standby(restoration)
        self.assert_equal()

    def assert_equal(self) -> None:
        comparison = compare_contents(self.site.primary, self.site.standby)
        assert comparison, comparison.differences

    def streams(self) -> bool:
        query = "SELECT state FROM pg_stat_replication WHERE application_name = 'node1'"
        return self.site.primary.sql(query) == [("streaming",)]

    def restored_bytes(self) -> int:
        """Return how many bytes of the data directory are there."""
        said = self.site.target.run(["du", "-sb", self.new], check=False).stdout
        return int(said.split()[0]) if said else 0

    def _values(self, restoration: Restoration, stall_s: float) -> dict[str, Any]:
        return {
            "restoration": as_result(restoration),
            "bin_directory": str(self.site.standby.installation.bindir),
            "stall_s": stall_s,
        }

    def _call(self, name: str, values: dict[str, Any]) -> Any:
        done = self.site.target.run(self._argv(name, values), timeout_s=120)
        if name == "restore":
            self.told[:] = done.stderr.splitlines()
        answer = json.loads(done.stdout)
        if "failure" in answer:
            raise error_of_record(answer["failure"])
        return answer["result"]

    def _argv(self, name: str, values: dict[str, Any]) -> list[str]:
        machine = self.site.target
        driver, file = f"{_PLACE}.py", f"{_PLACE}.json"
        with open(_DRIVER) as text:  # noqa: PTH123
            machine.write_file(driver, text.read())
        machine.write_file(file, json.dumps(values))
        python = self.product.command_on(machine.system).with_name("python")
        return [str(python), "-I", driver, name, file]


__all__ = ["LOG", "RecoveryError", "Target"]
