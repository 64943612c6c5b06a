"""Run the second stage: let the node replay the last of the WAL, then promote it.

Pgpool-II calls it in native replication and snapshot isolation mode, once all clients have
disconnected. New ones wait until it ends, so it does only what could not be done earlier.
"""

import time

from pgpool_recovery.config.settings import Settings
from pgpool_recovery.domain.error import Refused, Unreachable
from pgpool_recovery.domain.event import Emit, Finished, Said
from pgpool_recovery.domain.node import Target
from pgpool_recovery.domain.slot import IN_USE, names_of
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.observe.primary import observing_primary
from pgpool_recovery.postgres.connection import Connection, connect
from pgpool_recovery.postgres.slots import drop_slot_once_free
from pgpool_recovery.remote_start import start_and_follow
from pgpool_recovery.run.called_agent import CalledAgent
from pgpool_recovery.run.own_server import own_conninfo, own_server
from pgpool_recovery.run.sessions import agent_of, leaving, naming
from pgpool_recovery.talk.request.server import MakeIndependent

ANSWER_S = 60.0


def finish(
    target: Target, settings: Settings, emit: Emit, called: CalledAgent | None = None
) -> None:
    """Let the node replay the last of the WAL, and make it an independent server.

    Raise a RecoveryError that names the node and the state in which it is left. `called` is the
    agent of the target, if it was started earlier.
    """
    began = time.monotonic()
    mode = settings.pgpool.backend_clustering_mode
    if not mode.has_second_stage:
        raise Refused(
            f"there is no second stage in mode {mode}",
            detail="It would promote a node that must remain a standby.",
            hint="If Pgpool-II is in another mode, set backend_clustering_mode in [pgpool] of the "
            "settings.",
            target=TargetState.COPIED,
        )
    with naming(target), own_server(settings) as connection:
        # While the agent is still logging in.
        observe = observing_primary(connection, looks_at_files=False)
        with agent_of(target, settings, emit, called) as agent:
            started, _ = start_and_follow(target, settings, emit, connection, agent, observe)
            if not started.is_standby or started.slot_name is None:
                raise Refused(
                    "the target's server is not a standby of this server",
                    hint="The first stage makes it one: check recovery_1st_stage_command in "
                    "pgpool.conf.",
                    target=TargetState.STARTED,
                )
            with leaving(TargetState.STARTED):
                sequences = read_sequences(connection, settings)
                request = MakeIndependent(
                    target.data_directory, sequences, settings.timeout.promote_s
                )
                changed = agent.ask(request, timeout_s=settings.timeout.step_s)
                let_go_of_slot(connection, target, started.slot_name, emit)
    if changed:
        emit(Said("agent", f"{changed} sequences were reset to the primary's values"))
    emit(
        Finished(
            "it has everything that was written, and is independent now", time.monotonic() - began
        )
    )


def let_go_of_slot(connection: Connection, target: Target, name: str, emit: Emit) -> None:
    """Drop the slot from which the node streamed until now; report one that may not be dropped."""
    why = drop_slot_once_free(connection, name, names_of(target))
    if why == IN_USE:
        raise Unreachable(f"replication slot {name} could not be dropped", detail=f"{why}.")
    if why is not None:
        emit(Said("primary", f"replication slot {name} stays, because {why}"))


def read_sequences(connection: Connection, settings: Settings) -> dict[str, dict[int, int]]:
    """Return the last value of each sequence of each database, by OID."""
    found: dict[str, dict[int, int]] = {}
    for database in connection.rows("databases"):
        name = database["name"]
        where = {**own_conninfo(settings), "dbname": name}
        with connect(where, timeout_s=settings.timeout.connect_s, answer_s=ANSWER_S) as inside:
            found[name] = {row["oid"]: row["value"] for row in inside.rows("sequences")}
    return {name: values for name, values in found.items() if values}
