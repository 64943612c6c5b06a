"""Make the agent start a test's server, and return why it could not."""

import json
import sys
from typing import Any

from tests.harness.postgresql import Server

START = """
import json, sys
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.request.server import Start
from pgpool_recovery.agent.server.start import start
from pgpool_recovery.domain.error import RecoveryError
failure = None
try:
    start(Start(sys.argv[1], (sys.argv[2],), (), float(sys.argv[3])), Stop(), lambda line: None)
except RecoveryError as error:
    failure = error.as_record()
print(json.dumps(failure))
"""


def agent_start(server: Server, start_s: float, within_s: float = 90) -> dict[str, Any]:
    """Make the agent start the server; return its failure as a record, empty if it succeeded."""
    where = (str(server.data_directory), str(server.installation.bindir))
    argv = [sys.executable, "-I", "-c", START, *where, str(start_s)]
    failure = json.loads(server.machine.run(argv, timeout_s=within_s).stdout)
    return dict(failure or {})
