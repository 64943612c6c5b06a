"""What every method decides from: the target, the facts, the policy, and what follows from them."""

import posixpath
from functools import cached_property

from pgpool_recovery.domain.data_directory import WORKSPACE
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.record import record
from pgpool_recovery.domain.slot import USABLE
from pgpool_recovery.domain.wal import Point
from pgpool_recovery.facts.facts import Conninfo, Facts, PlaceFacts, Wal
from pgpool_recovery.facts.leftover import DELAY
from pgpool_recovery.facts.policy import Policy
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.facts.step.moving import DiscardWaiting
from pgpool_recovery.facts.step.place import Place, Places, TablespacePlace
from pgpool_recovery.facts.step.standby import ConfigureStandby, CreateSlot, Repoint
from pgpool_recovery.facts.step.step import Step
from pgpool_recovery.plan.broken_archive import is_broken
from pgpool_recovery.plan.divergence import Copied, Diverged, Follows, Relation, relate
from pgpool_recovery.plan.login import choose_login
from pgpool_recovery.plan.slot_sync import database, notes_on_sync


@record
class Situation:
    """One target and everything that is known about it."""

    target: Target
    facts: Facts
    policy: Policy

    @property
    def name(self) -> str:
        """The name of the target in messages."""
        return self.target.name

    @property
    def wal(self) -> Wal:
        """The WAL of the primary; only a standby has none, and plan/refusal.py has refused that."""
        if self.facts.primary.wal is None:
            raise ValueError("a standby has no WAL of its own")
        return self.facts.primary.wal

    @property
    def conninfo(self) -> Conninfo:
        """The replication connection that leads to the primary."""
        login = choose_login(self.facts.logins, self.facts.primary)
        if login is None:
            raise ValueError("no login leads to the primary")
        return login.conninfo

    @property
    def standby_conninfo(self) -> Conninfo:
        """The connection for the standby: with a database if it synchronises failover slots.

        Our own logins do not get that keyword: pg_receivewal would be checked against pg_hba.conf
        for that database.
        """
        dbname = database(self.facts)
        return self.conninfo if dbname is None else {**self.conninfo, "dbname": dbname}

    @property
    def bin_directory(self) -> str:
        """The directory of the target's PostgreSQL programs."""
        if self.facts.target.bin_directory is None:
            raise ValueError("the target has no programs")
        return self.facts.target.bin_directory

    @cached_property
    def relation(self) -> Relation | None:
        """How the target's data relates to the primary; None if no server could start with it."""
        target = self.facts.target
        if target.control is None or (target.has_backup_label and target.backup_start is None):
            return None
        if self.facts.compared is not None and self.is_of_another_past:
            upto = self.facts.compared.upto
            return Copied(f"Its WAL before {upto} is not what the primary has written there.")
        return relate(target.control, target.backup_start, target.history, self.wal)

    @property
    def is_of_another_past(self) -> bool:
        """Whether the target's WAL is not the primary's although their histories look alike."""
        compared = self.facts.compared
        return compared is not None and compared.is_same is False

    def reject_data(self) -> list[Rejection]:
        """Return why the data that the target has cannot be used."""
        target = self.facts.target
        if target.changing is not None:
            return [
                Rejection(
                    f"the data of {self.name} was left half changed",
                    detail=f"The method {target.changing} was interrupted.",
                )
            ]
        if target.control is None:
            if target.is_data_directory:
                return [Rejection(f"{self.name} has no control file")]
            return [Rejection(f"{self.name} has no data")]
        if self.relation is None:
            return [Rejection(f"the backup_label of {self.name} cannot be read")]
        return []

    def reject_relation(self) -> list[Rejection]:
        """Return why the target's data is not in the primary's past."""
        rejections = self.reject_data()
        if not rejections and isinstance(self.relation, Diverged | Copied):
            rejections.append(
                Rejection(f"{self.name} has diverged from the primary", detail=self.relation.why)
            )
        return rejections

    @property
    def follows(self) -> Follows:
        """The relation of a target whose data is in the primary's past."""
        if not isinstance(self.relation, Follows):
            raise TypeError("the target's data is not in the primary's past")
        return self.relation

    @property
    def is_delayed(self) -> bool:
        """Whether the node replays with a delay (recovery_min_apply_delay)."""
        own = self.facts.target.configuration
        return own is not None and any(left.name == DELAY for left in own.leftovers)

    @property
    def is_taken_out(self) -> bool:
        """Whether an interrupted run has left the data directory in the workspace."""
        return self.facts.target.is_away

    @cached_property
    def places(self) -> Places:
        """Where each part of a copy is prepared, and where it will be put."""
        target = self.facts.target
        return Places(
            data=_place(target.data),
            wal=None if target.wal is None else _place(target.wal),
            tablespaces=tuple(
                TablespacePlace(
                    oid=space.oid,
                    location=posixpath.dirname(target.tablespaces[space.oid].path),
                    place=_place(target.tablespaces[space.oid], new=f"new/{space.directory}"),
                )
                for space in self.facts.primary.tablespaces
            ),
        )

    def slot_step(self, hold_from: Point | None = None) -> CreateSlot:
        """Return the step that creates the node's slot, or reuses it if it still has its WAL."""
        slots = {slot.name: slot for slot in self.facts.primary.slots}
        slot = slots.get(self.target.slot_name)
        return CreateSlot(
            self.target.slot_name,
            is_new=slot is None or slot.wal_status not in USABLE,
            hold_from=hold_from,
        )

    def notes_on_slots(self) -> tuple[str, ...]:
        """Return notes on what keeps the primary's failover slots from being useful on the node."""
        target = self.target
        return tuple(notes_on_sync(self.name, target.slot_name, self.former_slot_name, self.facts))

    def waiting_steps(self) -> list[Step]:
        """Return the step that removes what an earlier recovery replaced, if the data is sound."""
        target = self.facts.target
        return [self.discard_waiting()] if target.old_waits and target.is_sound else []

    def discard_waiting(self) -> DiscardWaiting:
        """Return the step that removes what an earlier recovery replaced."""
        waiting = (place.waiting_bytes or 0 for place in self.facts.target.places())
        return DiscardWaiting(self.places, sum(waiting))

    def configure(self, places: Places, *, restore_command: str | None = None) -> ConfigureStandby:
        """Return the step that makes a copy a standby."""
        return ConfigureStandby(
            places=places,
            conninfo=self.standby_conninfo,
            slot_name=self.target.slot_name,
            former_slot_name=self.former_slot_name,
            port=self._port,
            bin_directory=self.bin_directory,
            is_of_primary=not self.facts.target.is_data_directory,
            drops_restore_command=is_broken(self.facts),
            restore_command=restore_command,
        )

    def repoint(self) -> Repoint:
        """Return the step that makes the directory a standby in place."""
        return Repoint(
            places=self.places.in_place(),
            conninfo=self.standby_conninfo,
            slot_name=self.target.slot_name,
            former_slot_name=self.former_slot_name,
            port=self._port,
            bin_directory=self.bin_directory,
            drops_restore_command=is_broken(self.facts),
        )

    @property
    def former_slot_name(self) -> str | None:
        """The slot that the node used before; None if it is the node's own slot."""
        own = self.facts.target.configuration
        former = None if own is None else own.values.get("primary_slot_name")
        return former if former and former != self.target.slot_name else None

    @property
    def _port(self) -> int | None:
        """The port to write into the configuration; None if the node's own already has it."""
        own = self.facts.target.configuration
        is_same = own is not None and own.values.get("port") == str(self.target.port)
        return None if is_same else self.target.port


def _place(facts: PlaceFacts, new: str = "new") -> Place:
    is_inside = facts.exists and not facts.can_rename
    workspace = f"{facts.path}/{WORKSPACE}" if is_inside else f"{facts.path}.{WORKSPACE}"
    return Place(
        path=facts.path, workspace=workspace, is_inside=is_inside, new=f"{workspace}/{new}"
    )
