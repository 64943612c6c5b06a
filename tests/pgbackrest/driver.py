"""Call one function of our installed product on the target; arguments and answer are JSON."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from pgpool_recovery.agent.directory.configuration import write_standby_settings
from pgpool_recovery.agent.method.restore import (
    archive_settings,
    observe_repository,
    restore_backup,
)
from pgpool_recovery.domain.error import RecoveryError
from pgpool_recovery.domain.event import Event, as_text
from pgpool_recovery.facts.backup import Restoration
from pgpool_recovery.host.stop import Stop
from pgpool_recovery.talk.wire import as_result, result_as


def observe(stop: Stop, values: dict[str, Any]) -> Any:
    return observe_repository(values["stanza"], stop, timeout_s=values["timeout_s"])


def restore(stop: Stop, values: dict[str, Any]) -> None:
    restoration = result_as(values["restoration"], Restoration)
    bin_directory, stall_s = values["bin_directory"], values["stall_s"]
    restore_backup(restoration, bin_directory, stop, tell, stall_s=stall_s)


def configure(_stop: Stop, values: dict[str, Any]) -> None:
    """Do what follows a restore, once the node's own files are back."""
    restoration = result_as(values["restoration"], Restoration)
    archive = archive_settings(restoration.backup, restoration.data_directory)
    write_standby_settings(Path(restoration.directory), values["settings"] | archive)


def tell(event: Event) -> None:
    for line in as_text(event):
        print(line, file=sys.stderr, flush=True)


def main() -> None:
    os.umask(0o077)
    stop = Stop()
    signal.signal(signal.SIGTERM, lambda *_: stop.ask())
    functions = {"observe": observe, "restore": restore, "configure": configure}
    name, values = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    try:
        answer = {"result": as_result(functions[name](stop, values))}
    except RecoveryError as error:
        answer = {"failure": error.as_record()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
