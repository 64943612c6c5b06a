"""The commands for nodes in Pgpool-II."""

from pgpool_recovery.cli.grammar.common import JSON, YES
from pgpool_recovery.cli.grammar.form import NODE, Argument, Command, Option

GRACEFULLY = Option(("--gracefully",), "Wait until all clients have disconnected.")

STATUS = Command(
    "status",
    "status",
    "Show the current state of the nodes, in Pgpool-II and on their servers.",
    """\
Shows, for each node, its status in the pool, its role, whether it is streaming and how far it
lags behind, its replication slot and the WAL that the slot retains on the primary, and any
running recovery. Problems are listed below the table.""",
    output=(JSON,),
    is_connected=True,
)
ATTACH = Command(
    "attach",
    "change",
    "Attach a node to Pgpool-II, and wait until it is in use.",
    """\
Refused if the node's server is not up or not streaming from the primary, because clients would
see errors or outdated data. Also refused while Pgpool-II is searching for a primary, because it
attaches nothing then.""",
    Argument(NODE, "The node to attach.", is_required=True),
    (Option(("--force",), "Attach it anyway, unless that would be a second primary."),),
    (JSON,),
    is_connected=True,
)
DETACH = Command(
    "detach",
    "change",
    "Detach a node from Pgpool-II, and wait until it is no longer in use.",
    """\
The server keeps running. Detaching the primary causes a failover, so you are asked to confirm
it.""",
    Argument(NODE, "The node to detach.", is_required=True),
    (GRACEFULLY, YES),
    (JSON,),
    is_connected=True,
)
PROMOTE = Command(
    "promote",
    "change",
    "Make a node the primary, and wait until both Pgpool-II and its server report it as such.",
    """\
With --switchover, Pgpool-II detaches the primary, and its failover_command promotes the server of
the node. Without it, this is NOT a switchover: it only changes which node Pgpool-II takes for the
primary. Use that when the server was promoted by other means; it is refused when the server is a
standby.

The command is refused, before Pgpool-II is asked, while Pgpool-II is searching for a primary, and
for a node that Pgpool-II does not use. With --switchover it is also refused when Pgpool-II has no
primary, and for a node that is not streaming from the primary or would not survive its promotion.
Pgpool-II queues a request that it cannot carry out at once, and may carry it out later as something
else. The command is also refused while follow_primary_command is running on this host and, with
--switchover, while the primary is recovering a node.""",
    Argument(NODE, "The node to make the primary.", is_required=True),
    (
        Option(("--switchover",), "Promote its server, and detach the current primary."),
        GRACEFULLY,
        YES,
    ),
    (JSON,),
    is_connected=True,
)
