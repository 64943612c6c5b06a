"""Ask the primary whether every node could be recovered, by the extension that setup put there."""

import json
from collections.abc import Sequence

from pgpool_recovery.check.finding import in_order
from pgpool_recovery.control.check import ASKED, Reported
from pgpool_recovery.domain.error import Unreachable
from pgpool_recovery.setup.access import RootShell
from pgpool_recovery.setup.extension import RECORDED_IN
from pgpool_recovery.setup.facts import NodeState, PoolState
from pgpool_recovery.setup.need import words
from pgpool_recovery.setup.script import in_main
from pgpool_recovery.setup.statement import identifier, literal, psql

WITHIN_S = 300.0


def check(pool: PoolState, primary: NodeState, shell: RootShell) -> Sequence[Reported]:
    """Return the findings; raise Unreachable if the primary does not answer."""
    ran = shell.run(in_main(_question(pool, primary)), within_s=WITHIN_S)
    _, begin, answer = ran.output.partition("[")
    if ran.status != 0 or not begin:
        raise Unreachable("could not run the check on the primary", detail=ran.last_lines)
    return in_order([Reported(**row) for row in json.loads(begin + answer)])


def _question(pool: PoolState, primary: NodeState) -> str:
    found = primary.extensions.get(RECORDED_IN)
    schema = "public" if found is None else found[1]
    nodes = [
        {
            "node_id": one.node_id,
            "host": one.host,
            "port": one.port,
            "data_directory": one.data_directory,
        }
        for one in pool.backends
    ]
    known = {name: pool.parameters[name] for name in ASKED if name in pool.parameters}
    known["recovery_database"] = pool.database
    if pool.release is not None:
        known["pgpool_version"] = ".".join(map(str, pool.release))
    asked = json.dumps({"nodes": nodes, **known})
    call = f"{identifier(schema)}.pgpool_recovery_check({literal(asked)})"
    rows = f"SELECT pg_catalog.json_agg(pg_catalog.to_json(found)) FROM {call} AS found"  # noqa: S608 - quoted
    query = f"SET client_min_messages = error; {rows};"
    return f"printf '%s\\n' {words(query)} | {psql(primary, RECORDED_IN)}"
