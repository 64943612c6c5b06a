"""Have every node include the file to which Pgpool-II's sample scripts write a standby's settings.

The samples add the line to the postgresql.conf of each node that they recover, so that of the first
primary lacks it. Where that file is not in the data directory, recoveries do not edit it, and would
write to postgresql.auto.conf, which overrides what follow_primary.sh writes later.
"""

from collections.abc import Iterator

from pgpool_recovery.agent.directory.setting_home import SAMPLES_FILE
from pgpool_recovery.setup.facts import SAMPLE, ClusterState, HostState, NodeState
from pgpool_recovery.setup.need import Need, words

WHY = "Else recoveries write to postgresql.auto.conf, which overrides what the samples write."
ESCAPED = ("'", "\\")


def include(host: HostState, around: ClusterState) -> Iterator[Need]:
    """Yield, for each node of a host that lacks the line, how it is added and removed."""
    if not any(one.includes or SAMPLE in one.scripts.values() for one in around.nodes):
        return
    for node in host.nodes:
        main = node.settings.get("config_file")
        data = node.backend.data_directory
        if node.includes is False and main and not any(each in data for each in ESCAPED):
            yield _need(host, node, main)


def _need(host: HostState, node: NodeState, main: str) -> Need:
    data = node.backend.data_directory
    line = f"include_if_exists = '{data}/{SAMPLES_FILE}'"
    stays = (
        f"{main}: the line for {data}/{SAMPLES_FILE} stays, since this standby streams as it says. "
        "Pgpool-II's samples use the same line, so there is nothing to do"
    )
    signal, settings = words(f"{data}/standby.signal"), words(f"{data}/{SAMPLES_FILE}")
    return Need(
        host.name,
        f"21-include-{node.backend.node_id}",
        f"{main} does not include {data}/{SAMPLES_FILE}, which Pgpool-II's samples write",
        WHY,
        test=words("has_line", main, line),
        commands=(words("add_line", node.owner, main, line),),
        undo=(
            f"if [ -e {signal} ] && [ -e {settings} ]; then",
            f"    {words('echo', stays)}",
            "else",
            f"    {words('remove_lines', node.owner, main, line)}",
            "fi",
        ),
    )
