"""What rules out every method; all of it is checked before anything is touched."""

import posixpath
from collections.abc import Iterable, Iterator
from itertools import permutations

from pgpool_recovery.domain.error import Busy, Unreachable
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.quantity import pretty_size
from pgpool_recovery.domain.slot import names_of
from pgpool_recovery.facts.access import notes_on_access
from pgpool_recovery.facts.facts import (
    Configuration,
    Facts,
    PlaceFacts,
    PrimaryFacts,
    TargetFacts,
)
from pgpool_recovery.facts.policy import Method
from pgpool_recovery.facts.rejection import Rejection
from pgpool_recovery.plan.attach import not_streaming, streams
from pgpool_recovery.plan.broken_archive import notes_on_archive
from pgpool_recovery.plan.login import choose_login, reject_logins
from pgpool_recovery.plan.mount import reject_layered, reject_mounts_inside, reject_read_only
from pgpool_recovery.plan.owner import CHECK_PATH, reject_owner
from pgpool_recovery.plan.situation import Situation
from pgpool_recovery.plan.space import reject_full
from pgpool_recovery.plan.standby_name import notes_on_name
from pgpool_recovery.plan.stray import reject_strays
from pgpool_recovery.plan.taken_out import (
    notes_at_restart,
    notes_on_copied,
    notes_on_leftovers,
    reject_leftovers,
    reject_running,
)

OLDEST_MAJOR = 14
OWN_TABLESPACE = "Give the node another directory with tablespace_mapping in the settings."
NEEDED_WAL_SENDERS = 2  # A full copy opens one for the files and one for the WAL.


def refuse(situation: Situation) -> Iterator[Rejection]:
    """Report everything that stands in the way of every method, the most important first."""
    name, facts = situation.name, situation.facts
    yield from _reject_path(name, facts.target)
    if facts.target.data.problem is not None:
        return  # Nothing else about the target could be examined.
    yield from _reject_occupied(name, facts)
    yield from _reject_stranger(name, facts)
    yield from reject_primary(situation.target, facts.primary)
    yield from reject_full(name, facts.target)
    yield from _reject_equipment(name, facts)
    yield from reject_leftovers(name, facts.target.configuration, facts.target.left_files)
    yield from _reject_tablespaces(name, facts)
    yield from _reject_wal(name, facts)
    yield from reject_strays(name, facts)
    if facts.login_problem is not None:
        yield facts.login_problem
        return
    for rejection in reject_logins(name, facts.logins, facts.primary):
        yield Rejection(rejection.message, rejection.detail, rejection.hint, kind=Unreachable)


def reject_replacement(name: str, target: TargetFacts) -> Iterator[Rejection]:
    """Report which directories cannot be replaced as a whole."""
    yield from reject_mounts_inside(name, target)
    yield from reject_layered(name, target.hostname, _all_places(target))
    yield from _reject_overlap(name, target)
    yield from reject_foreign(name, _other_places(target))


def reject_foreign(name: str, places: Iterable[PlaceFacts]) -> Iterator[Rejection]:
    """Report which directories hold data that may not belong to the node."""
    for place in places:
        if place.exists and not place.is_empty and not place.is_own:
            yield Rejection(
                f"{place.path} of {name} holds data that is not known to be the node's own",
                detail="No symbolic link in the node's data directory points to it.",
                hint="Move its contents elsewhere, or give the node another directory with "
                "tablespace_mapping or wal_directory in the settings.",
            )


def notes(target: Target, facts: Facts, method: Method) -> Iterator[str]:
    """Report what an administrator should check although it does not prevent the recovery."""
    own = facts.target.configuration
    former = None if own is None else own.values.get("primary_slot_name")
    known = {target.slot_name, former} & names_of(target)
    for slot in facts.primary.slots:
        if not slot.is_active and slot.name not in known:
            yield (
                f"replication slot {slot.name} of the primary is not in use "
                f"and keeps {pretty_size(slot.kept_bytes)} of WAL"
            )
    login = choose_login(facts.logins, facts.primary)
    if login is not None and not streams(facts):
        own_name = login.conninfo["application_name"]
        yield from notes_on_name(target.name, own_name, facts.primary)
    yield from notes_on_archive(
        target.name, facts, is_kept=streams(facts), brings_own=method is Method.RESTORE
    )
    yield from notes_on_access(target.name, facts.primary.access, facts.target.access)
    if facts.target.server_pid is None:
        yield from notes_on_leftovers(target.name, own, facts.target.left_files)
    else:  # Nothing is removed from under a server that keeps running.
        yield from notes_at_restart(target.name, own)
    yield from notes_on_copied(facts.primary.leftovers if facts.target.is_empty else ())
    for location in facts.target.gone_tablespaces:
        yield (
            f"the old data has a tablespace in {location} that does not exist on the primary; "
            "a rewind removes its files, but a full copy leaves them alone"
        )


def _reject_path(name: str, target: TargetFacts) -> Iterator[Rejection]:
    path = target.data.path
    if path == "/":
        yield Rejection(f"the data directory of {name} is the root directory", hint=CHECK_PATH)
    for place in _all_places(target):
        if place.filesystem.is_read_only:
            yield from reject_read_only(name, target.hostname, place)
        elif place.problem or not place.can_write:
            yield reject_owner(name, target, place)
    if target.data.problem is None and not target.is_empty and not target.is_data_directory:
        yield Rejection(
            f"{path} of {name} is neither empty nor a data directory",
            detail=f"It holds {', '.join(target.foreign_entries)}.",
            hint=f"{CHECK_PATH} If the path is right, move its contents elsewhere.",
        )


def _reject_occupied(name: str, facts: Facts) -> Iterator[Rejection]:
    target = facts.target
    if _is_same(facts.primary.data_directory, target.data):
        yield Rejection(
            f"{name} is the primary: both have the same data directory",
            detail=f"It is {target.data.path} on {target.hostname}.",
            hint="Check backend_hostname and backend_data_directory in pgpool.conf.",
        )
    elif target.server_pid is not None:
        yield Rejection(
            f"the server of {name} is running",
            detail=f"Its data directory is {target.data.path} on {target.hostname}, and its "
            f"process ID is {target.server_pid}.",
            hint="Stop it first, or attach the node if it is a standby of this primary.",
        )
        if streams(facts):
            yield from reject_running(name, facts.running)
        else:
            yield not_streaming(name)
    if target.managed_by is not None:
        yield Rejection(
            f"{name} is managed by {target.managed_by}",
            hint=f"Recover it with {target.managed_by}.",
        )
    if target.is_busy:
        yield Rejection(
            f"another recovery of {name} is running",
            hint="Wait for it, or cancel it.",
            kind=Busy,
        )


def _reject_stranger(name: str, facts: Facts) -> Iterator[Rejection]:
    target, primary = facts.target, facts.primary
    if target.major is not None and target.major != primary.major:
        yield Rejection(
            f"{name} has a data directory of PostgreSQL {target.major}",
            detail=f"The primary is PostgreSQL {primary.major}.",
            hint=f"{CHECK_PATH} If the path is right, move its contents elsewhere.",
        )
    # A directory that is half written has a marker instead of a control file.
    control, marked = target.control, target.marked_identifier
    identifier = marked if control is None else control.system_identifier
    if identifier is not None and identifier != primary.system_identifier:
        yield Rejection(
            f"{name} belongs to another cluster",
            detail=f"Its system identifier is {identifier}, "
            f"the primary's is {primary.system_identifier}.",
            hint=f"{CHECK_PATH} If the path is right, move its contents elsewhere.",
        )


def reject_primary(target: Target, primary: PrimaryFacts) -> Iterator[Rejection]:
    """Report why this primary cannot serve a copy and then a standby."""
    if primary.is_in_recovery:
        yield Rejection(
            "this server is a standby",
            hint="Run the recovery on the primary, from which a node is recovered.",
        )
    if primary.major < OLDEST_MAJOR:
        yield Rejection(
            f"PostgreSQL {primary.major} is not supported",
            detail=f"The oldest supported version is {OLDEST_MAJOR}.",
        )
    if primary.wal_level not in ("replica", "logical"):
        yield Rejection(
            f'wal_level of the primary is "{primary.wal_level}"',
            hint="Set wal_level = replica and restart the primary.",
        )
    free = primary.max_wal_senders - primary.wal_senders
    if free < NEEDED_WAL_SENDERS:
        yield Rejection(
            "the primary does not have enough free WAL senders",
            detail=f"{primary.wal_senders} of {primary.max_wal_senders} are in use; "
            f"{NEEDED_WAL_SENDERS} are needed.",
            hint="Raise max_wal_senders.",
        )
    yield from _reject_slot(target, primary)


def _reject_slot(target: Target, primary: PrimaryFacts) -> Iterator[Rejection]:
    slot = next((slot for slot in primary.slots if slot.name == target.slot_name), None)
    if slot is None and len(primary.slots) >= primary.max_replication_slots:
        yield Rejection(
            "all replication slots of the primary are in use",
            detail=f"max_replication_slots is {primary.max_replication_slots}.",
            hint="Drop a slot that is no longer needed, or raise max_replication_slots.",
        )
    if slot is not None and not slot.is_physical:
        yield Rejection(
            f'replication slot "{slot.name}" is a logical slot',
            hint=f"Drop it: {target.name} needs this name for its own slot.",
        )
    if slot is not None and slot.is_active:
        yield Rejection(
            f'replication slot "{slot.name}" is in use',
            detail=f"A standby is streaming from the slot of {target.name}.",
            hint="Check pg_stat_replication on the primary.",
            kind=Busy,
        )


def _reject_equipment(name: str, facts: Facts) -> Iterator[Rejection]:
    target, primary = facts.target, facts.primary
    if target.bin_directory is None:
        yield Rejection(
            f"{name} does not have the programs of PostgreSQL {primary.major}",
            hint=f"Install PostgreSQL {primary.major} on {target.hostname}, or set bin_directory "
            "for the node in the settings.",
        )
    if target.configuration_problem is not None:
        yield Rejection(
            f"the configuration of {name} cannot be read",
            detail=target.configuration_problem,
            hint="Correct it: the server is started with it.",
        )
    elif target.configuration is None and not primary.is_configuration_inside:
        yield Rejection(
            f"{name} has no configuration for {target.data.path}",
            detail="The primary keeps its configuration outside the data directory, so the copy "
            "has none.",
            hint=f"Create the cluster there: pg_createcluster {primary.major} main "
            f"-d {target.data.path}.",
        )
    if target.configuration is not None:
        yield from _reject_parameters(name, target.configuration, primary)


def _reject_parameters(
    name: str, configuration: Configuration, primary: PrimaryFacts
) -> Iterator[Rejection]:
    lower = [
        f"{parameter} is {configuration.values[parameter]}, the primary's is {needed}"
        for parameter, needed in primary.standby_parameters.items()
        if int(configuration.values.get(parameter, needed)) < needed
    ]
    if lower:
        yield Rejection(
            f"the settings of {name} are too low for a standby of this primary",
            detail=f"{'; '.join(lower)}.",
            hint=f"Raise them in {configuration.file}.",
        )
    if configuration.values.get("hot_standby") == "off":
        yield Rejection(
            f"hot_standby is off on {name}",
            detail="It would never accept connections as a standby.",
            hint=f"Set hot_standby = on in {configuration.file}.",
        )


def _reject_tablespaces(name: str, facts: Facts) -> Iterator[Rejection]:
    for tablespace in facts.primary.tablespaces:
        place = facts.target.tablespaces.get(tablespace.oid)
        if place is not None and _is_same(tablespace.identity, place):
            yield Rejection(
                f"tablespace {tablespace.location} of {name} is the primary's own",
                detail="Both nodes are on the same host.",
                hint=OWN_TABLESPACE,
            )
        elif place is not None and place.other_server is not None:
            yield Rejection(
                f"tablespace {tablespace.location} of {name} is another server's",
                detail=_whose(place, facts.target),
                hint=OWN_TABLESPACE,
            )


def _reject_wal(name: str, facts: Facts) -> Iterator[Rejection]:
    """Report a pg_wal that leads to another server's, as in a copy that was made with cp -a.

    Every method would empty it, replace it, or have two servers write into it.
    """
    place = facts.target.wal
    if place is None:
        return
    hint = (
        f"Replace the link {facts.target.data.path}/pg_wal by a directory of the node's own, or "
        "correct wal_directory in the settings."
    )
    if _is_same(facts.primary.wal_directory, place):
        yield Rejection(
            f"the WAL directory {place.path} of {name} is the primary's own",
            detail="Both nodes are on the same host.",
            hint=hint,
        )
    elif place.other_server is not None:
        yield Rejection(
            f"the WAL directory {place.path} of {name} is another server's",
            detail=_whose(place, facts.target),
            hint=hint,
        )


def _whose(place: PlaceFacts, target: TargetFacts) -> str:
    return f"On {target.hostname}, it belongs to the data directory {place.other_server}."


def _is_same(identity: object, place: PlaceFacts) -> bool:
    return identity is not None and identity == place.identity


def _reject_overlap(name: str, target: TargetFacts) -> Iterator[Rejection]:
    """Report places inside one another: the inner one would be moved and removed with the outer."""
    for outer, inner in permutations(_all_places(target), 2):
        if posixpath.commonpath([outer.path, inner.path]) == outer.path:
            yield Rejection(
                f"{inner.path} of {name} lies within {outer.path}",
                detail="The data directory, the WAL directory and the tablespaces are replaced one "
                "by one.",
                hint="Give the node another directory with tablespace_mapping or wal_directory "
                "in the settings.",
            )


def _other_places(target: TargetFacts) -> list[PlaceFacts]:
    wal = [] if target.wal is None else [target.wal]
    return [*wal, *target.tablespaces.values()]


def _all_places(target: TargetFacts) -> list[PlaceFacts]:
    return [target.data, *_other_places(target)]
